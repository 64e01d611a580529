// Builds core_tests (Release, without Node) in build/core against the libtorch that is found, and runs them. With
// --guarded-device it builds the libraries of test/core/device/as_cuda alone, and runs nothing.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = path.join(root, 'build', 'core');
const finder = path.join(root, 'dist', 'engine', 'libtorch', 'find-libtorch.js');

function run(command, ...args) {
  const { status, signal, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  if (status === 0) return;
  console.error(`${command} ${args[0]} failed (${error?.message ?? signal ?? `exit status ${status}`}).`);
  process.exit(1);
}

/** A build folder that was copied from elsewhere is refused by CMake. */
function dropForeignCache() {
  const cache = path.join(folder, 'CMakeCache.txt');
  if (!existsSync(cache)) return;
  const home = /^CMAKE_HOME_DIRECTORY:\w+=(.*)$/m.exec(readFileSync(cache, 'utf8'))?.[1];
  if (home === undefined || path.resolve(home) !== path.resolve(root)) rmSync(folder, { recursive: true });
}

async function findLibtorch() {
  if (!existsSync(finder)) {
    console.error('Expected dist/ to be compiled. Run `npm run build:ts` (or `npm install`) first.');
    process.exit(1);
  }
  const module = await import(finder);
  try {
    return module.findLibtorch({ onNote: (note) => console.log(note) });
  } catch (error) {
    console.error(error.message);
    process.exit(1);
  }
}

const libtorch = await findLibtorch();
dropForeignCache();
const ninja = spawnSync('ninja', ['--version'], { stdio: 'ignore' }).status === 0;
const jobs = Math.max(1, Math.min(os.availableParallelism(), Math.floor(os.totalmem() / 2e9)));
run(
  'cmake',
  '-S',
  root,
  '-B',
  folder,
  ...(ninja && !existsSync(path.join(folder, 'CMakeCache.txt')) ? ['-G', 'Ninja'] : []),
  '-DCMAKE_BUILD_TYPE=Release',
  // As cmake-js says it for the addon, so that ccache serves core's objects from that build.
  '-DCMAKE_CXX_FLAGS=-DBUILDING_NODE_EXTENSION',
  '-DADAPTIVE_TRAINER_ADDON=OFF',
  '-DADAPTIVE_TRAINER_TESTS=ON',
  `-DADAPTIVE_TRAINER_LIBTORCH=${libtorch.root}`,
  `-DADAPTIVE_TRAINER_CXX11_ABI=${libtorch.cxx11Abi === false ? 0 : 1}`,
);
const guardedOnly = process.argv.includes('--guarded-device');
const targets = guardedOnly ? ['--target', 'guarded_cuda', 'guarded_plugin'] : [];
run('cmake', '--build', folder, '--config', 'Release', '--parallel', String(jobs), ...targets);
if (guardedOnly) process.exit(0);
run('ctest', '--test-dir', folder, '--build-config', 'Release', '--output-on-failure', '--no-tests=error');
