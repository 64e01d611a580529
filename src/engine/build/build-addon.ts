import { mkdtemp, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { mkdirs } from '../../common/mkdirs.js';
import { AdaptiveTrainerError } from '../../errors.js';
import { isCheckout } from '../../common/is-checkout.js';
import { packageRoot } from '../../common/package-root.js';
import { builtAddonDir } from '../load/built-addon-dir.js';
import { addonFileName } from '../load/find-addon.js';
import { rebuildCommand } from '../load/rebuild-command.js';
import { findLibtorch } from '../libtorch/find-libtorch.js';
import { explainStorage } from '../libtorch/explain-storage.js';
import { setupLibtorch } from '../libtorch/setup-libtorch.js';
import { thisMachine } from '../platform/machine.js';
import { prebuiltKey } from '../platform/prebuilt.js';
import { addonSources } from './addon-sources.js';
import { checkTools } from './check-tools.js';
import { compileAddon } from './compile-addon.js';
import type { OnSetupProgress } from '../../common/setup-progress.js';
import type { Libtorch } from '../libtorch/libtorch.js';
import type { AddonSources } from './addon-sources.js';

/** Where a build tells what it does. */
export interface BuildOptions {
  readonly onNote?: (text: string) => void;
  /** How far the download of libtorch is, where there is one. */
  readonly onProgress?: OnSetupProgress;
}

/**
 * Builds the addon for this machine: in a checkout into build/Release, otherwise into this project's cache. Tools are looked
 * for before anything is fetched.
 * @returns the addon's path.
 * @throws AdaptiveTrainerError ADDON_NOT_BUILT where a tool or the sources are missing or the compiler fails, or one of
 * setupLibtorch's.
 */
export async function buildAddon(options: BuildOptions = {}): Promise<string> {
  const note = options.onNote ?? (() => {});
  checkTools(rebuildCommand());
  const sources = addonSources();
  const libtorch = await provideLibtorch(note, options.onProgress);
  const started = Date.now();
  note(`building the addon with libtorch ${libtorch.version} from ${libtorch.root}`);
  const addon = isCheckout() ? await buildHere(sources, libtorch) : await buildIntoCache(sources, libtorch);
  note(`built ${addon} in ${((Date.now() - started) / 1000).toFixed(1)} s`);
  return addon;
}

async function provideLibtorch(
  note: (text: string) => void,
  onProgress?: OnSetupProgress,
): Promise<Libtorch> {
  try {
    return findLibtorch({ onNote: note, withHeaders: true });
  } catch (error) {
    // A folder that was named on purpose is not replaced by a download.
    if (process.env['ADAPTIVE_TRAINER_LIBTORCH'] || process.env['LIBTORCH']) throw error;
    if (!AdaptiveTrainerError.isInstance(error)) throw error;
    note(
      error.code === 'LIBTORCH_NOT_FOUND'
        ? 'no libtorch with headers on this machine, fetching it'
        : error.message,
    );
  }
  return setupLibtorch(onProgress === undefined ? {} : { onProgress });
}

async function buildHere(sources: AddonSources, libtorch: Libtorch): Promise<string> {
  const output = path.join(packageRoot, 'build', 'Release');
  await compileAddon(sources, libtorch, path.join(packageRoot, 'build', 'addon'), output);
  return path.join(output, addonFileName);
}

async function workFolder(target: string): Promise<string> {
  try {
    await mkdirs(path.dirname(target));
    return await mkdtemp(`${target}.part-`);
  } catch (error) {
    throw explainStorage(error, path.dirname(target));
  }
}

// CMake's own files are hundreds of megabytes, and a second build is not expected.
async function buildIntoCache(sources: AddonSources, libtorch: Libtorch): Promise<string> {
  const target = builtAddonDir(prebuiltKey(thisMachine(), libtorch.version));
  const work = await workFolder(target);
  try {
    const output = path.join(work, 'addon');
    await compileAddon(sources, libtorch, path.join(work, 'cmake'), output);
    await rm(target, { recursive: true, force: true });
    await rename(output, target);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return path.join(target, addonFileName);
}
