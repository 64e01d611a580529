import { existsSync } from 'node:fs';
import path from 'node:path';
import { AdaptiveTrainerError } from '../../errors.js';
import { libraryNames } from '../libtorch/library-names.js';
import { readAddonBuild } from './read-addon-build.js';
import { rebuildCommand } from './rebuild-command.js';
import type { Libtorch } from '../libtorch/libtorch.js';

/** What is loaded, in order: a helper that loads the libraries by path (if needed), then the addon. */
export interface AddonLoad {
  readonly addon: string;
  readonly libDir: string;
  readonly preload?: { readonly helper: string; readonly libraries: readonly string[] };
}

/**
 * How to load an addon with a given libtorch. Its run path leads to the libtorch it was built with; for any other
 * one, the libraries are loaded by path first.
 * @throws AdaptiveTrainerError ADDON_UNLOADABLE when it was built against another release of libtorch.
 */
export function planAddonLoad(addon: string, libtorch: Libtorch): AddonLoad {
  const build = readAddonBuild(addon);
  if (build !== undefined && release(build.libtorchVersion) !== release(libtorch.version)) {
    const wanted = build.libtorchVersion;
    const fix = rebuildCommand();
    const origin = build.libtorchRoot === undefined ? '' : ` (the one in ${build.libtorchRoot})`;
    throw new AdaptiveTrainerError(
      'ADDON_UNLOADABLE',
      `Expected libtorch ${wanted}, with which the addon ${addon} was built${origin}, but found ` +
        `${libtorch.version} in ${libtorch.root} (${libtorch.source}). Run \`${fix}\` to build the addon for that one.`,
      { details: { addon, expected: wanted, found: libtorch.version, fix } },
    );
  }
  const plan = { addon, libDir: libtorch.libDir };
  const helper = path.join(path.dirname(addon), 'adaptive_trainer_preload.node');
  if (build?.libtorchRoot === libtorch.root || !existsSync(helper)) return plan;
  return {
    ...plan,
    preload: { helper, libraries: libraryNames().map((name) => path.join(libtorch.libDir, name)) },
  };
}

// C++ symbols may change with a minor release, not with a patch.
function release(version: string): string {
  return version.split('.').slice(0, 2).join('.');
}
