import path from 'node:path';
import { cacheDir } from '../../common/cache-dir.js';
import { packageVersion } from '../../common/package-version.js';

/** The folder in this project's cache for an addon that `adaptive-trainer build` makes, by the key of a prebuilt one. */
export function builtAddonDir(key: string, env: NodeJS.ProcessEnv = process.env): string {
  return path.join(cacheDir(env), 'addon', packageVersion(), key);
}
