import { existsSync } from 'node:fs';
import path from 'node:path';

const packages = 'nvidia-cuda-nvcc nvidia-cuda-crt nvidia-nvvm nvidia-cuda-runtime nvidia-cuda-cccl';

/**
 * The CUDA toolkit to compile with: CUDA_HOME or CUDA_PATH, nvcc on the PATH, /usr/local/cuda, in this order.
 * @param {NodeJS.ProcessEnv} env
 * @returns {string} the folder that holds bin/nvcc
 * @throws {Error} that lists where it was looked for and says how to get one
 */
export function findNvcc(env = process.env) {
  /** @type {string[]} */
  const tried = [];
  /** @param {string} place @param {string} home */
  const look = (place, home) => {
    if (existsSync(path.join(home, 'bin', 'nvcc'))) return home;
    tried.push(`  - ${place}: no bin/nvcc in ${home}`);
    return undefined;
  };
  for (const name of ['CUDA_HOME', 'CUDA_PATH']) {
    const value = env[name];
    if (!value) {
      tried.push(`  - ${name}: not set`);
      continue;
    }
    const home = look(name, path.resolve(value));
    // An explicit wish that cannot be met is an error; another toolkit would hide it.
    if (home === undefined) break;
    return home;
  }
  if (!env['CUDA_HOME'] && !env['CUDA_PATH']) {
    const folder = (env['PATH'] ?? '')
      .split(path.delimiter)
      .find((entry) => existsSync(path.join(entry, 'nvcc')));
    if (folder !== undefined) return path.dirname(path.resolve(folder));
    tried.push('  - PATH: no nvcc');
    const usual = look('the usual place', '/usr/local/cuda');
    if (usual !== undefined) return usual;
  }
  throw new Error(
    `Expected nvcc, the compiler of the CUDA toolkit (13.0 or later), but found none. Looked in this order:\n${tried.join('\n')}\n` +
      `Set CUDA_HOME to a toolkit. No GPU is needed, and pip has one: \`pip install ${packages}\`, ` +
      'then CUDA_HOME=<site-packages>/nvidia/cu13.',
  );
}
