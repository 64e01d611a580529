import path from 'node:path';
import { libraryNames } from '../libtorch/library-names.js';
import type { AddonLoad } from './plan-addon-load.js';
import { stamp, TrialCache } from './trial-cache.js';

/** Remembers that an addon has loaded in a child process, by the exact files: a rebuilt addon or another libtorch is tried again. */
export class AddonTrialCache extends TrialCache {
  constructor(load: AddonLoad, env: NodeJS.ProcessEnv = process.env) {
    const libraries = libraryNames().map((library) => path.join(load.libDir, library));
    const stamps = [load.addon, ...libraries].map(stamp);
    super('loaded', load.addon, [process.version, process.arch, load.preload !== undefined, ...stamps], env);
  }
}
