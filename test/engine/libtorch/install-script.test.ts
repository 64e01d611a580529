import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { packageRoot } from '../../../src/common/package-root.js';
import { tempDir } from './temp-dir.js';

/** A package as npm unpacks it (no src/), whose dist/ has stand-ins for what the script calls. */
function installedPackage({ find, trial = '{ ok: true }' }: { find: string; trial?: string }): string {
  const root = tempDir();
  cpSync(path.join(packageRoot, 'scripts', 'install.mjs'), path.join(root, 'scripts', 'install.mjs'));
  symlinkSync(path.join(packageRoot, 'node_modules'), path.join(root, 'node_modules'));
  const modules = {
    'package.json': '{ "type": "module", "binary": { "napi_versions": [8] } }',
    'dist/engine/libtorch/find-libtorch.js': `export function findLibtorch() { ${find} }`,
    'dist/engine/libtorch/setup-libtorch.js':
      "export async function setupLibtorch() { return { root: '/fetched', version: '2.13.0' }; }",
    'dist/common/progress-printer.js': 'export function progressPrinter() {}',
    'dist/engine/load/plan-addon-load.js': 'export function planAddonLoad() {}',
    'dist/engine/load/try-addon.js': `export function tryAddon() { return ${trial}; }`,
  };
  for (const [name, content] of Object.entries(modules)) {
    mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
    writeFileSync(path.join(root, name), content);
  }
  return root;
}

function install(
  root: string,
  env: NodeJS.ProcessEnv = {},
  ...args: string[]
): { status: number | null; output: string } {
  const script = path.join(root, 'scripts', 'install.mjs');
  const inherited = {
    ...process.env,
    ADAPTIVE_TRAINER_SKIP_BUILD: '',
    ADAPTIVE_TRAINER_LIBTORCH: '',
    LIBTORCH: '',
  };
  const run = spawnSync(process.execPath, [script, ...args], {
    encoding: 'utf8',
    env: { ...inherited, ...env },
  });
  return { status: run.status, output: run.stdout + run.stderr };
}

const found = "return { root: '/found', version: '2.13.0' };";
const notFound = "throw Object.assign(new Error('FIND MESSAGE'), { code: 'LIBTORCH_NOT_FOUND' });";

function addPrebuilt(root: string): string {
  const folder = path.join(root, 'prebuilds', `${process.platform}-${process.arch}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, 'adaptive_trainer.node'), '');
  return folder;
}

describe('the install script', () => {
  test('says that it was told to skip the build', () => {
    const { status, output } = install(installedPackage({ find: found }), {
      ADAPTIVE_TRAINER_SKIP_BUILD: '1',
    });
    expect(output).toContain('as ADAPTIVE_TRAINER_SKIP_BUILD=1 asks');
    expect(status).toBe(0);
  });

  test('a prebuilt addon that loads is enough: neither CMake nor a compiler is needed', () => {
    const root = installedPackage({ find: found });
    addPrebuilt(root);
    const { status, output } = install(root, { PATH: '' });
    expect(output).toContain('using the prebuilt addon');
    expect(status).toBe(0);
  });

  test('one that does not load gives way to a build, and the reason is printed', () => {
    const root = installedPackage({ find: found, trial: "{ ok: false, stderr: 'CHILD SAID' }" });
    const folder = addPrebuilt(root);
    const { status, output } = install(root, { PATH: '' });
    expect(output).toContain('does not load here (CHILD SAID)');
    // Only a build that succeeded takes its place.
    expect(existsSync(folder)).toBe(true);
    expect(status).toBe(1);
  });

  test('a machine without tools: what is missing, and the command that mends it', () => {
    const { status, output } = install(installedPackage({ find: found }), { PATH: '', CXX: '' });
    expect(status).toBe(1);
    expect(output).toMatch(/this machine lacks: cmake/);
    expect(output).toMatch(/Install them with `.*cmake.*`/);
    expect(output).not.toContain('    at ');
  });

  test('without libtorch it is fetched', () => {
    const { output } = install(installedPackage({ find: notFound }), { PATH: '' });
    expect(output).toContain('no libtorch on this machine, fetching it');
    expect(output).toContain('this machine lacks');
  });

  test('a libtorch that was named and is wrong is an error, not a reason to fetch another', () => {
    const { status, output } = install(installedPackage({ find: notFound }), { LIBTORCH: '/typo' });
    expect(status).toBe(1);
    expect(output).toContain('FIND MESSAGE');
    expect(output).not.toContain('fetching');
  });
});
