import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { AddonTrialCache } from '../../../src/engine/load/addon-trial-cache.js';
import { explainLoadFailure } from '../../../src/engine/load/explain-load-failure.js';
import { findAddon } from '../../../src/engine/load/find-addon.js';
import { builtAddonDir } from '../../../src/engine/load/built-addon-dir.js';
import { findLibtorch } from '../../../src/engine/libtorch/find-libtorch.js';
import { loadAddon } from '../../../src/engine/load/load-addon.js';
import { packageRoot } from '../../../src/common/package-root.js';
import { planAddonLoad } from '../../../src/engine/load/plan-addon-load.js';
import { tryAddon } from '../../../src/engine/load/try-addon.js';
import { errorOf } from './error-of.js';
import { writeFakeLibtorch } from './fake-libtorch.js';
import { tempDir } from './temp-dir.js';
import type { Machine } from '../../../src/engine/platform/machine.js';
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

/** A package as npm unpacks it, without src/; `packages` are what lies beside it in node_modules. */
function installed(...packages: string[]): { root: string; modules: string } {
  const modules = path.join(tempDir(), 'node_modules');
  for (const name of ['adaptive-trainer', ...packages]) {
    mkdirSync(path.join(modules, name), { recursive: true });
    writeFileSync(path.join(modules, name, 'package.json'), JSON.stringify({ name, version: '0.1.0' }));
  }
  return { root: path.join(modules, 'adaptive-trainer'), modules };
}

const linux: Machine = { platform: 'linux', arch: 'x64', libc: 'glibc', libcVersion: '2.36' };
const linuxKey = 'linux-x64-glibc-libtorch2.13';

describe('a missing addon', () => {
  const env = { ADAPTIVE_TRAINER_CACHE: '/no/such/cache' };

  test('ADDON_NOT_BUILT lists the places and the command of a checkout', async () => {
    const root = tempDir();
    mkdirSync(path.join(root, 'src'));
    const error = await errorOf(() => findAddon({ env, root, machine: linux }));
    expect(error.code).toBe('ADDON_NOT_BUILT');
    expect(error.message).toContain(path.join(root, 'build', 'Release', 'adaptive_trainer.node'));
    expect(error.message).toContain('`npm run build:native`');
  });

  test.each<[string, Machine, string[], RegExp, RegExp]>([
    [
      'optional packages left out',
      linux,
      [],
      /@adaptive-trainer\/linux-x64 is not installed/,
      /npm install --include=optional/,
    ],
    [
      'node_modules of another machine',
      linux,
      ['@adaptive-trainer/darwin-arm64'],
      /node_modules was installed for darwin-arm64, and this is linux-x64/,
      /npm ci/,
    ],
    ['musl', { ...linux, libc: 'musl' }, [], /musl as its C library \(Alpine\)/, /node:22-slim/],
    [
      'old glibc',
      { ...linux, libcVersion: '2.17' },
      [],
      /glibc is 2\.17, and libtorch needs 2\.28/,
      /Debian 10/,
    ],
    ['an Intel Mac', { platform: 'darwin', arch: 'x64' }, [], /Node is one for Intel Macs/, /arm64 Node/],
    [
      'another platform',
      { platform: 'freebsd', arch: 'x64' },
      [],
      /no package for freebsd-x64, only for linux-x64/,
      /npx adaptive-trainer build/,
    ],
  ])('%s: the cause and what helps', async (_, machine, packages, cause, fix) => {
    const error = await errorOf(() => findAddon({ env, root: installed(...packages).root, machine }));
    expect(error.code).toBe('ADDON_NOT_BUILT');
    expect(error.message).toMatch(cause);
    expect(error.message).toMatch(fix);
  });

  test('an addon for one release of libtorch, wanted for another', async () => {
    const { root, modules } = installed('@adaptive-trainer/linux-x64');
    const folder = path.join(modules, '@adaptive-trainer/linux-x64/prebuilds', linuxKey);
    mkdirSync(folder, { recursive: true });
    writeFileSync(path.join(folder, 'adaptive_trainer.node'), '');
    const found = findAddon({ env, root, machine: linux, libtorchVersion: '2.13.1+cu130' });
    expect(path.dirname(found)).toBe(folder);
    const error = await errorOf(() => findAddon({ env, root, machine: linux, libtorchVersion: '2.12.0' }));
    expect(error.message).toContain('has no addon for this key (linux-x64-glibc-libtorch2.12)');
    expect(error.message).toContain('Unset LIBTORCH');
    expect(error.message).toContain('`npx adaptive-trainer build`');
  });

  test('a variable that names no file', async () => {
    const error = await loadError('/no/such/adaptive_trainer.node');
    expect(error.code).toBe('ADDON_NOT_BUILT');
    expect(error.message).toContain('which ADAPTIVE_TRAINER_ADDON names');
  });

  test('one that was built on this machine comes before that of a package', () => {
    const { root, modules } = installed('@adaptive-trainer/linux-x64');
    const env = { ADAPTIVE_TRAINER_CACHE: tempDir() };
    const places = [
      path.join(modules, '@adaptive-trainer/linux-x64/prebuilds', linuxKey),
      builtAddonDir(linuxKey, env),
      path.join(root, 'build', 'Release'),
    ];
    for (const place of places) {
      mkdirSync(place, { recursive: true });
      writeFileSync(path.join(place, 'adaptive_trainer.node'), '');
      if (place.startsWith(root)) mkdirSync(path.join(root, 'src')); // a checkout
      expect(path.dirname(findAddon({ env, root, machine: linux }))).toBe(place);
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
    expect(error.message).toContain(`${file} is no shared library`);
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

  test.runIf(existsSync(helper))('one for another architecture, and one cut short', async () => {
    const file = fileOf('');
    const content = readFileSync(helper);
    writeFileSync(file, content.subarray(0, 40));
    expect((await loadError(file)).message).toContain(`${file} is cut short`);
    writeFileSync(file, content.subarray(0, content.length / 2));
    expect((await loadError(file)).message).toContain('damaged');
    content.writeUInt16LE(243, 18); // the machine in an ELF header: RISC-V
    writeFileSync(file, content);
    if (process.platform === 'linux') {
      expect((await loadError(file)).message).toContain('was made for linux-riscv64, and this is linux-');
    }
  });

  test.runIf(hasCompiler)('a library that is not where it was', async () => {
    const dir = tempDir();
    writeFileSync(path.join(dir, 'empty.c'), '');
    spawnSync('cc', ['-shared', '-o', path.join(dir, 'libtorch_cpu.so'), path.join(dir, 'empty.c')]);
    const file = compile('int f(void) { return 0; }', '-Wl,--no-as-needed', `-L${dir}`, '-ltorch_cpu');
    const { message } = await loadError(file);
    expect(message).toContain('the library libtorch_cpu.so of libtorch is not where the addon looks for it');
    expect(message).toMatch(/What helps: install the libtorch in .* again/);
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
    const mends = { rebuild: 'REBUILD', renewAddon: 'ADDON', renewLibtorch: 'LIBTORCH' };
    expect(explainLoadFailure({ ...failed, stderr }, mends).cause).toContain('no Node addon');
    const old = "/lib/libstdc++.so.6: version `GLIBCXX_3.4.32' not found (required by /x.node)";
    expect(explainLoadFailure({ ...failed, stderr: old }, mends)).toEqual({
      cause: expect.stringContaining('GLIBCXX_3.4.32'),
      fixes: ['REBUILD'],
    });
    const older = "/lib/libc.so.6: version `GLIBC_2.28' not found (required by /a/lib/libtorch_cpu.so)";
    expect(explainLoadFailure({ ...failed, stderr: older }, mends)).toEqual({
      cause: expect.stringContaining('older than libtorch needs (GLIBC_2.28 is missing)'),
      fixes: [expect.stringContaining('Debian 10')],
    });
    expect(explainLoadFailure({ ...failed, stderr: 'new words' }, mends).cause).toContain('exit status 1');
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
