// Builds cuda_tests in build/cuda-tests and runs them: the kernels of native/cuda on the CPU. Needs g++ and CMake alone.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = path.join(root, 'build', 'cuda-tests');

function run(command, ...args) {
  const { status, signal, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  if (status === 0) return;
  console.error(`${command} ${args[0]} failed (${error?.message ?? signal ?? `exit status ${status}`}).`);
  process.exit(1);
}

if (process.platform !== 'linux') {
  console.log('The CUDA kernels are emulated on Linux alone: not tested here.');
  process.exit(0);
}
const ninja = spawnSync('ninja', ['--version'], { stdio: 'ignore' }).status === 0;
const generator = ninja && !existsSync(path.join(folder, 'CMakeCache.txt')) ? ['-G', 'Ninja'] : [];
run('cmake', '-S', path.join(root, 'test', 'cuda'), '-B', folder, ...generator);
run('cmake', '--build', folder, '--parallel', String(Math.min(8, os.availableParallelism())));
run('ctest', '--test-dir', folder, '--output-on-failure', '--no-tests=error');
