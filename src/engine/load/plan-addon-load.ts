import { existsSync } from 'node:fs';
import path from 'node:path';
import { AdaptiveTrainerError } from '../../errors.js';
import { libraryNames } from '../libtorch/library-names.js';
import { libtorchRelease } from '../platform/prebuilt.js';
import { helperOf } from './dlopen.js';
import { readAddonBuild } from './read-addon-build.js';
import { rebuildCommand } from './rebuild-command.js';
import type { Libtorch } from '../libtorch/libtorch.js';

/** What is loaded, in order: a helper that loads the libraries by path (if it is there), then the addon. */
export interface AddonLoad {
  readonly addon: string;
  readonly libDir: string;
  readonly preload?: { readonly helper: string; readonly libraries: readonly string[] };
}

/**
 * How to load an addon with a given libtorch: the libraries by path first, so that it does not matter where either lies.
 * @throws AdaptiveTrainerError ADDON_UNLOADABLE when it was built against another release of libtorch.
 */
export function planAddonLoad(addon: string, libtorch: Libtorch): AddonLoad {
  const build = readAddonBuild(addon);
  if (build !== undefined && libtorchRelease(build.libtorchVersion) !== libtorchRelease(libtorch.version)) {
    const wanted = build.libtorchVersion;
    const fix = rebuildCommand();
    const origin = build.libtorchRoot === undefined ? '' : ` (the one in ${build.libtorchRoot})`;
    const advice =
      libtorch.source === 'process'
        ? 'Another package has loaded that one into this process: use the two in processes of their own.'
        : `Run \`${fix}\` to build the addon for that one, or use libtorch ${libtorchRelease(wanted)}.`;
    throw new AdaptiveTrainerError(
      'ADDON_UNLOADABLE',
      `Expected libtorch ${wanted}, with which the addon ${addon} was built${origin}, but found ` +
        `${libtorch.version} in ${libtorch.root} (${libtorch.source}). ${advice}`,
      { details: { addon, expected: wanted, found: libtorch.version, fix } },
    );
  }
  const plan = { addon, libDir: libtorch.libDir };
  const helper = helperOf(addon);
  if (!existsSync(helper)) return plan;
  return {
    ...plan,
    preload: { helper, libraries: libraryNames().map((name) => path.join(libtorch.libDir, name)) },
  };
}
