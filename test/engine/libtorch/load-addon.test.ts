import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { AddonTrialCache } from '../../../src/engine/load/addon-trial-cache.js';
import { explainLoadFailure } from '../../../src/engine/load/explain-load-failure.js';
import { findAddon } from '../../../src/engine/load/find-addon.js';
import { findLibtorch } from '../../../src/engine/libtorch/find-libtorch.js';
import { loadAddon } from '../../../src/engine/load/load-addon.js';
import { packageRoot } from '../../../src/common/package-root.js';
import { planAddonLoad } from '../../../src/engine/load/plan-addon-load.js';
import { tryAddon } from '../../../src/engine/load/try-addon.js';
import { errorOf } from './error-of.js';
import { writeFakeLibtorch } from './fake-libtorch.js';
import { tempDir } from './temp-dir.js';
import type { AdaptiveTrainerError } from '../../../src/errors.js';

const hasCompiler = process.platform === 'linux' && spawnSync('cc', ['--version']).status === 0;
// Any addon that needs no libtorch serves as one that loads; the build leaves this one.
const helper = path.join(packageRoot, 'build', 'Release', 'adaptive_trainer_preload.node');

afterEach(() => vi.unstubAllEnvs());

/** Sets the environment so that loadAddon takes this file, with a libtorch that is never loaded. */
function useAddon(file: string): { cache: string; libtorch: string } {
  const dir = tempDir();
  const libtorch = writeFakeLibtorch(path.join(dir, 'libtorch'));
  const cache = path.join(dir, 'cache');
  vi.stubEnv('ADAPTIVE_TRAINER_ADDON', file);
  vi.stubEnv('ADAPTIVE_TRAINER_LIBTORCH', libtorch);
  vi.stubEnv('ADAPTIVE_TRAINER_CACHE', cache);
  return { cache, libtorch };
}

function fileOf(content: string): string {
  const file = path.join(tempDir(), 'adaptive_trainer.node');
  writeFileSync(file, content);
  return file;
}

/** A shared library of a few lines of C, as an addon. */
function compile(source: string, ...flags: string[]): string {
  const file = fileOf('');
  const code = path.join(path.dirname(file), 'addon.c');
  writeFileSync(code, source);
  const { status, stderr } = spawnSync('cc', ['-shared', '-fPIC', '-o', file, code, ...flags], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(stderr);
  return file;
}

async function loadError(file: string): Promise<AdaptiveTrainerError> {
  useAddon(file);
  return errorOf(loadAddon);
}

describe('a missing addon', () => {
  test('ADDON_NOT_BUILT lists the places and the command', async () => {
    const root = tempDir();
    const error = await errorOf(() => findAddon({}, root));
    expect(error.code).toBe('ADDON_NOT_BUILT');
    expect(error.message).toContain(path.join(root, 'prebuilds', `${process.platform}-${process.arch}`));
    expect(error.message).toContain(path.join(root, 'build', 'Release', 'adaptive_trainer.node'));
    expect(error.message).toContain('`npm rebuild adaptive-trainer`');
    mkdirSync(path.join(root, 'src'));
    expect((await errorOf(() => findAddon({}, root))).message).toContain('`npm run build:native`');
  });

  test('a variable that names no file', async () => {
    const error = await loadError('/no/such/adaptive_trainer.node');
    expect(error.code).toBe('ADDON_NOT_BUILT');
    expect(error.message).toContain('which ADAPTIVE_TRAINER_ADDON names');
  });

  test('a prebuilt one comes before one that was built', () => {
    const root = tempDir();
    const places = [`prebuilds/${process.platform}-${process.arch}`, 'build/Release'].map((place) =>
      path.join(root, place),
    );
    for (const place of places.reverse()) {
      mkdirSync(place, { recursive: true });
      writeFileSync(path.join(place, 'adaptive_trainer.node'), '');
      expect(path.dirname(findAddon({}, root))).toBe(place);
    }
  });
});

describe('an addon that cannot be loaded', () => {
  test('garbage: ADDON_UNLOADABLE says so, and with which libtorch it was tried', async () => {
    const file = fileOf('this is no shared library, but long enough to be read as one. '.repeat(10));
    const { libtorch } = useAddon(file);
    const error = await errorOf(loadAddon);
    expect(error.code).toBe('ADDON_UNLOADABLE');
    expect(error.message).toContain(file);
    expect(error.message).toContain(`libtorch 2.13.0 in ${libtorch} (ADAPTIVE_TRAINER_LIBTORCH)`);
    expect(error.message).toContain('`npm run build:native`');
    if (process.platform === 'linux') expect(error.message).toContain('invalid ELF header');
    expect(error.details).toMatchObject({ addon: file, signal: null, timedOut: false });
  });

  test('one built against another release of libtorch is not even tried', async () => {
    const file = fileOf('not read');
    const build = { libtorchRoot: '/elsewhere', libtorchVersion: '2.12.1+cpu' };
    writeFileSync(path.join(path.dirname(file), 'adaptive_trainer.build.json'), JSON.stringify(build));
    const error = await loadError(file);
    expect(error.code).toBe('ADDON_UNLOADABLE');
    expect(error.message).toMatch(
      /Expected libtorch 2\.12\.1\+cpu, .*built \(the one in \/elsewhere\), but found 2\.13\.0/,
    );
  });

  test.runIf(hasCompiler)('a crash costs the child only, and names the signal', async () => {
    const file = compile(
      '#include <stdlib.h>\n__attribute__((constructor)) static void f(void) { abort(); }',
    );
    const error = await loadError(file);
    expect(error.code).toBe('ADDON_UNLOADABLE');
    expect(error.message).toContain('crashed (SIGABRT)');
    expect(error.details['signal']).toBe('SIGABRT');
  });

  test.runIf(hasCompiler)('an illegal instruction', async () => {
    const file = compile(
      '#include <signal.h>\n__attribute__((constructor)) static void f(void) { raise(SIGILL); }',
    );
    expect((await loadError(file)).message).toContain('an instruction that this CPU does not have');
  });

  test.runIf(hasCompiler)('a symbol that libtorch lacks', async () => {
    const file = compile('void not_in_libtorch(void);\nvoid f(void) { not_in_libtorch(); }');
    expect((await loadError(file)).message).toContain('the libtorch in use lacks not_in_libtorch');
  });

  test.runIf(hasCompiler)('a library that is not where it was', async () => {
    const dir = tempDir();
    writeFileSync(path.join(dir, 'empty.c'), '');
    spawnSync('cc', ['-shared', '-o', path.join(dir, 'libtorch_cpu.so'), path.join(dir, 'empty.c')]);
    const file = compile('int f(void) { return 0; }', '-Wl,--no-as-needed', `-L${dir}`, '-ltorch_cpu');
    const { message } = await loadError(file);
    expect(message).toContain('the library libtorch_cpu.so is not where the addon was built to look for it');
    expect(message).toContain('`npx adaptive-trainer setup`');
  });

  test.runIf(hasCompiler)('one that never finishes', () => {
    const file = compile(
      '#include <unistd.h>\n__attribute__((constructor)) static void f(void) { sleep(60); }',
    );
    const trial = tryAddon({ addon: file, libDir: '/' }, 1000);
    expect(trial).toMatchObject({ ok: false, timedOut: true });
  });

  test('one that is no addon of Node', () => {
    const failed = { ok: false, status: 1, signal: null, timedOut: false } as const;
    const stderr = "Error: Module did not self-register: '/x.node'.";
    const commands = { rebuild: 'REBUILD', setup: 'SETUP' };
    expect(explainLoadFailure({ ...failed, stderr }, commands).cause).toContain('no Node addon');
    const old = "/lib/libstdc++.so.6: version `GLIBCXX_3.4.32' not found (required by /x.node)";
    expect(explainLoadFailure({ ...failed, stderr: old }, commands)).toEqual({
      cause: expect.stringContaining('GLIBCXX_3.4.32'),
      fixes: ['build it here: `REBUILD`'],
    });
    expect(explainLoadFailure({ ...failed, stderr: 'new words' }, commands).cause).toContain('exit status 1');
  });
});

describe('an addon that loads', () => {
  test.runIf(existsSync(helper))('is tried once in a child; a later start only compares the files', () => {
    const file = fileOf('');
    copyFileSync(helper, file);
    const { cache, libtorch } = useAddon(file);
    const plan = planAddonLoad(file, findLibtorch());
    expect(new AddonTrialCache(plan).known).toBe(false);
    expect(loadAddon()).toHaveProperty('preload');
    expect(loadAddon()).toBe(loadAddon());
    expect(new AddonTrialCache(plan).known).toBe(true);
    expect(readdirSync(path.join(cache, 'loaded'))).toHaveLength(1);

    writeFakeLibtorch(libtorch, { version: '2.14.0-rc1' });
    expect(new AddonTrialCache(plan).known).toBe(false);
  });

  test.runIf(existsSync(helper))(
    'libtorch elsewhere than at build time is loaded by path first',
    async () => {
      const file = fileOf('');
      copyFileSync(helper, file);
      copyFileSync(helper, path.join(path.dirname(file), path.basename(helper)));
      const { libtorch } = useAddon(file);
      const plan = planAddonLoad(file, findLibtorch());
      expect(plan.preload?.libraries[0]).toContain(libtorch);
      const trial = tryAddon(plan);
      expect(trial).toMatchObject({
        ok: false,
        stderr: expect.stringContaining(plan.preload!.libraries[0]!),
      });
    },
  );
});
