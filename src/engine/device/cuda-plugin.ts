import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { isCheckout } from '../../common/is-checkout.js';
import { packageRoot } from '../../common/package-root.js';
import { reinstall } from '../libtorch/find-libtorch.js';
import { libtorchPin } from '../libtorch/libtorch-pin.js';
import { readAddonBuild } from '../load/read-addon-build.js';
import { thisMachine } from '../platform/machine.js';
import { packageFolder } from '../platform/package-folder.js';
import {
  addonPackage,
  cudaPlatforms,
  libtorchRelease,
  platformOf,
  prebuiltKey,
} from '../platform/prebuilt.js';
import type { Machine } from '../platform/machine.js';

/** The kernels for CUDA (native/cuda), a library of its own. */
export interface CudaPlugin {
  readonly file: string;
  /**
   * The version of adaptive-trainer, and of the libtorch, that it was built for, and the CUDA version that it was built with, for
   * example `13.0`; absent where nothing beside it tells.
   */
  readonly version?: string;
  readonly libtorchVersion?: string;
  readonly cuda?: string;
}

/** A search for the plugin. */
export interface PluginSearch {
  readonly plugin?: CudaPlugin;
  /** Where it was looked for, in order. */
  readonly places: readonly string[];
  /** What helps where it is missing, or is not the right one. */
  readonly fix: string;
}

const fileName = 'adaptive_trainer_cuda.so';

/**
 * The plugin: the one that ADAPTIVE_TRAINER_CUDA_PLUGIN names, else that beside the addon, that which this checkout has built, or
 * that of this platform's package.
 */
export function findCudaPlugin(
  addon: string,
  env: NodeJS.ProcessEnv,
  { root = packageRoot, machine = thisMachine() }: { root?: string; machine?: Machine } = {},
): PluginSearch {
  const chosen = env['ADAPTIVE_TRAINER_CUDA_PLUGIN'];
  // An explicit wish that cannot be met is an error; using another plugin instead would hide it.
  if (chosen) {
    const file = path.resolve(chosen);
    return { ...search([file]), fix: 'correct ADAPTIVE_TRAINER_CUDA_PLUGIN, or unset it' };
  }
  const libtorchVersion = readAddonBuild(addon)?.libtorchVersion ?? libtorchPin.version;
  const folder = packageFolder(addonPackage(machine), [root]);
  const places = [
    path.join(path.dirname(addon), fileName),
    ...(isCheckout(root) ? [path.join(root, 'build', 'cuda', fileName)] : []),
    ...(folder === undefined
      ? []
      : [path.join(folder, 'prebuilds', prebuiltKey(machine, libtorchVersion), fileName)]),
  ];
  const fix = isCheckout(root)
    ? '`npm run build:cuda` builds it (docs/cuda.md)'
    : fixOfPackage(libtorchVersion, folder, machine);
  return { ...search([...new Set(places)]), fix };
}

function search(places: readonly string[]): Omit<PluginSearch, 'fix'> {
  const file = places.find((place) => existsSync(place));
  return file === undefined ? { places } : { places, plugin: described(file) };
}

function described(file: string): CudaPlugin {
  try {
    const about = path.join(path.dirname(file), 'adaptive_trainer_cuda.build.json');
    return { file, ...(JSON.parse(readFileSync(about, 'utf8')) as Omit<CudaPlugin, 'file'>) };
  } catch {
    return { file };
  }
}

function fixOfPackage(libtorchVersion: string, folder: string | undefined, machine: Machine): string {
  const platforms: readonly string[] = cudaPlatforms;
  const release = libtorchRelease(libtorchPin.version);
  if (platforms.includes(platformOf(machine)) && libtorchRelease(libtorchVersion) === release)
    return folder === undefined ? 'run `npm install --include=optional`' : reinstall(folder);
  return (
    `npm has it for ${platforms.join(', ')} and libtorch ${release} alone; for others a checkout builds it (docs/cuda.md), and ` +
    'ADAPTIVE_TRAINER_CUDA_PLUGIN names it'
  );
}
