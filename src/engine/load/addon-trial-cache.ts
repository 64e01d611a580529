import path from 'node:path';
import { libraryNames } from '../libtorch/library-names.js';
import type { AddonLoad } from './plan-addon-load.js';
import { stamp, TrialCache } from './trial-cache.js';

/**
 * Remembers that an addon has loaded with a libtorch in a child process, by the exact files: a rebuilt addon or another libtorch is
 * tried again, and the one for the CPU and the one with CUDA each once.
 */
export class AddonTrialCache extends TrialCache {
  constructor(load: AddonLoad, env: NodeJS.ProcessEnv = process.env) {
    const libraries = libraryNames().map((library) => path.join(load.libDir, library));
    const stamps = [load.addon, ...libraries].map(stamp);
    const facts = [process.version, process.arch, load.preload !== undefined, ...stamps];
    super('loaded', `${load.addon}\n${load.libDir}`, facts, env);
  }
}
