import { existsSync } from 'node:fs';
import path from 'node:path';
import { AdaptiveTrainerError } from '../../errors.js';
import { packageRoot } from '../../common/package-root.js';
import { explainMissing } from '../platform/explain-missing.js';
import { thisMachine } from '../platform/machine.js';
import { packageFolder } from '../platform/package-folder.js';
import { addonPackage, prebuiltKey } from '../platform/prebuilt.js';
import { libtorchPin } from '../libtorch/libtorch-pin.js';
import { builtAddonDir } from './built-addon-dir.js';
import { isCheckout } from '../../common/is-checkout.js';
import { rebuildCommand } from './rebuild-command.js';
import type { Machine } from '../platform/machine.js';

/** The addon's file name, wherever it lies. */
export const addonFileName = 'adaptive_trainer.node';

/** Where to look; tests give their own. */
export interface FindAddonOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly root?: string;
  readonly machine?: Machine;
  /** The release of libtorch that the addon is wanted for. */
  readonly libtorchVersion?: string;
}

/**
 * The addon's path: `ADAPTIVE_TRAINER_ADDON`, the one that was built in this checkout, the one that
 * `adaptive-trainer build` made, or that of this platform's package.
 * @throws AdaptiveTrainerError ADDON_NOT_BUILT, listing the places.
 */
export function findAddon(options: FindAddonOptions = {}): string {
  const { env = process.env, root = packageRoot, machine = thisMachine() } = options;
  const chosen = env['ADAPTIVE_TRAINER_ADDON'];
  if (chosen) {
    const file = path.resolve(chosen);
    if (existsSync(file)) return file;
    throw new AdaptiveTrainerError(
      'ADDON_NOT_BUILT',
      `Expected the native addon at ${file}, which ADAPTIVE_TRAINER_ADDON names, but there is no such file. ` +
        'Correct the variable, or unset it to use the addon of this package.',
      { details: { tried: [file] } },
    );
  }
  const key = prebuiltKey(machine, options.libtorchVersion ?? libtorchPin.version);
  const name = addonPackage(machine);
  const folder = packageFolder(name, [root]);
  const tried = [
    ...(isCheckout(root) ? [path.join(root, 'build', 'Release', addonFileName)] : []),
    path.join(builtAddonDir(key, env), addonFileName),
    ...(folder === undefined ? [] : [path.join(folder, 'prebuilds', key, addonFileName)]),
  ];
  const found = tried.find((file) => existsSync(file));
  if (found !== undefined) return found;
  throw missing(tried, { root, machine, key, folder });
}

function missing(
  tried: readonly string[],
  { root, machine, key, folder }: { root: string; machine: Machine; key: string; folder: string | undefined },
): AdaptiveTrainerError {
  const list = tried.map((file) => `  - ${file}`);
  const command = rebuildCommand(root);
  if (isCheckout(root)) {
    const fix = `Build it with \`${command}\` (needs CMake and a C++ compiler; fetches libtorch if it is missing).`;
    return notBuilt(list, fix, { tried, fix: command });
  }
  if (folder !== undefined) {
    const fix =
      `${addonPackage(machine)} has no addon for this key (${key}). Unset LIBTORCH and ADAPTIVE_TRAINER_LIBTORCH to use ` +
      `the libtorch ${libtorchPin.version} that npm installs, name one of that release, or build an addon for yours: \`${command}\`.`;
    return notBuilt(list, fix, { tried, fix: command });
  }
  const { cause, fix } = explainMissing(machine, root);
  return notBuilt([...list, `  - ${addonPackage(machine)}, from npm: ${cause}`], `What helps: ${fix}.`, {
    tried,
    fix,
  });
}

function notBuilt(
  list: readonly string[],
  advice: string,
  details: { tried: readonly string[]; fix: string },
): AdaptiveTrainerError {
  const heading =
    'Expected the native addon of adaptive-trainer in one of these places, but found it in none:';
  return new AdaptiveTrainerError('ADDON_NOT_BUILT', [heading, ...list, advice].join('\n'), { details });
}
