import path from 'node:path';
import { libraryNames } from '../libtorch/library-names.js';
import type { AddonLoad } from './plan-addon-load.js';
import { stamp, TrialCache } from './trial-cache.js';

<<<<<<< HEAD
/** Remembers that an addon has loaded in a child process, by the exact files: a rebuilt addon or another libtorch is tried again. */
export class AddonTrialCache extends TrialCache {
  constructor(load: AddonLoad, env: NodeJS.ProcessEnv = process.env) {
=======
/**
 * Remembers that an addon has loaded with a libtorch in a child process, so that only the first start after a change pays for
 * the trial. Keyed by the exact files: a rebuilt addon or another libtorch is tried again.
 */
export class AddonTrialCache {
  readonly #file: string;
  readonly #fingerprint: string;

  constructor(load: AddonLoad, env: NodeJS.ProcessEnv = process.env) {
    const name = createHash('sha256').update(`${load.addon}\n${load.libDir}`).digest('hex').slice(0, 16);
    this.#file = path.join(cacheDir(env), 'loaded', `${name}.json`);
>>>>>>> 35878ea (setup --cuda fetches libtorch for CUDA with NVIDIA's libraries, from pip or from a folder of wheels)
    const libraries = libraryNames().map((library) => path.join(load.libDir, library));
    const stamps = [load.addon, ...libraries].map(stamp);
    super('loaded', load.addon, [process.version, process.arch, load.preload !== undefined, ...stamps], env);
  }
}
