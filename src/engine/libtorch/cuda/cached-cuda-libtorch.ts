import path from 'node:path';
import { cacheDir } from '../../../common/cache-dir.js';
import { libtorchRelease } from '../../platform/prebuilt.js';

/**
 * The folder in this project's cache for the libtorch of a release with CUDA: `torch` and `nvidia` in it, side by side, as its
 * libraries look for each other.
 */
export function cachedCudaDir(version: string, env: NodeJS.ProcessEnv = process.env): string {
  return path.join(cacheDir(env), 'libtorch', `${libtorchRelease(version)}+cuda`);
}

/** Where libtorch itself lies in it. */
export function cachedCudaLibtorch(version: string, env: NodeJS.ProcessEnv = process.env): string {
  return path.join(cachedCudaDir(version, env), 'torch');
}
