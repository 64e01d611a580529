import path from 'node:path';
import { cacheDir } from '../../common/cache-dir.js';
import { libtorchPin } from './libtorch-pin.js';

/** The folder in this project's cache that holds, or will hold, the pinned libtorch. */
export function cachedLibtorchDir(env: NodeJS.ProcessEnv = process.env): string {
  return path.join(cacheDir(env), 'libtorch', `${libtorchPin.version}+cpu`);
}
