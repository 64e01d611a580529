import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { isCheckout } from '../../common/is-checkout.js';
import { packageRoot } from '../../common/package-root.js';

/** The kernels for CUDA (native/cuda), a library of its own. */
export interface CudaPlugin {
  readonly file: string;
  /** The version of adaptive-trainer, and of the libtorch, that it was built for; absent where nothing beside it tells. */
  readonly version?: string;
  readonly libtorchVersion?: string;
}

const fileName = 'adaptive_trainer_cuda.so';

/** Where the plugin may be: what ADAPTIVE_TRAINER_CUDA_PLUGIN names, else beside the addon, else what a checkout has built. */
export function pluginPlaces(addon: string, env: NodeJS.ProcessEnv, root = packageRoot): string[] {
  const chosen = env['ADAPTIVE_TRAINER_CUDA_PLUGIN'];
  // An explicit wish that cannot be met is an error; using another plugin instead would hide it.
  if (chosen) return [path.resolve(chosen)];
  return [
    path.join(path.dirname(addon), fileName),
    ...(isCheckout(root) ? [path.join(root, 'build', 'cuda', fileName)] : []),
  ];
}

export function findCudaPlugin(places: readonly string[]): CudaPlugin | undefined {
  const file = places.find((place) => existsSync(place));
  if (file === undefined) return undefined;
  try {
    const about = path.join(path.dirname(file), 'adaptive_trainer_cuda.build.json');
    return { file, ...(JSON.parse(readFileSync(about, 'utf8')) as Omit<CudaPlugin, 'file'>) };
  } catch {
    return { file };
  }
}
