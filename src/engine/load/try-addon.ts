import type { AddonLoad } from './plan-addon-load.js';
import { tryScript, type Trial } from './try-script.js';

/** The beginning of a script that loads the addon. RTLD_NOW, so that a symbol missing from libtorch shows here and not in the middle of training. */
export const openAddon = `
const [addon, helper, libraries, ...more] = JSON.parse(process.argv[1]);
const open = (file) => {
  const module = { exports: {} };
  process.dlopen(module, file, require('node:os').constants.dlopen.RTLD_NOW);
  return module.exports;
};
const preload = helper && open(helper).preload;
if (preload) preload(libraries);
const engine = open(addon);
`;

/** What openAddon reads of its argument. */
export function argumentOf({ addon, preload }: AddonLoad): unknown[] {
  return [addon, preload?.helper ?? '', preload?.libraries ?? []];
}

/**
 * Loads the addon in a child process: an instruction the CPU lacks, or a library that crashes while loading, then
 * costs the child and not the program.
 */
export function tryAddon(load: AddonLoad, timeoutMs?: number): Trial {
  return tryScript(openAddon, argumentOf(load), load.libDir, timeoutMs);
}
