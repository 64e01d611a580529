import { existsSync } from 'node:fs';
import { AdaptiveTrainerError } from '../../errors.js';
import type { OnSetupProgress } from '../../common/setup-progress.js';
import { setupCudaLibtorch } from '../libtorch/cuda/setup-cuda-libtorch.js';
import { torchIn, wheelsIn } from '../libtorch/cuda/wheel-folder.js';
import type { Libtorch } from '../libtorch/libtorch.js';
import { libtorchPin } from '../libtorch/libtorch-pin.js';
import { setupLibtorch } from '../libtorch/setup-libtorch.js';
import { findAddon } from '../load/find-addon.js';
import { helperOf } from '../load/dlopen.js';
import { readAddonBuild } from '../load/read-addon-build.js';
import { seenGraphics, type Graphics } from '../platform/graphics.js';
import { cudaVersionText, type CudaDriver } from './cuda-driver.js';
import {
  driverFaults,
  isOldDriver,
  neededCuda,
  oldDriver,
  otherCuda,
  pluginFaults,
  type CudaFault,
} from './cuda-faults.js';
import { cudaOfLibtorch } from './cuda-of-libtorch.js';
import { findCudaPlugin, type PluginSearch } from './cuda-plugin.js';
import { driverOf } from './open-device.js';

/** Which libtorch is wanted, and where from. */
export interface MachineSetupOptions {
  /** `auto`: with CUDA where this machine has a GPU that can be computed on. */
  readonly wish: 'auto' | 'cpu' | 'cuda';
  /** Fetch the one with CUDA though this machine cannot use it, as for an image. */
  readonly withoutGpu?: boolean;
  /** A folder with wheels, in place of pip and the network. */
  readonly from?: string;
  readonly force?: boolean;
  /** Default: those of this machine. */
  readonly gpus?: SeenGpus;
  readonly env?: NodeJS.ProcessEnv;
  readonly onProgress?: OnSetupProgress;
}

/** What is known of the GPUs of a machine. */
export interface SeenGpus {
  /** What the driver says, where the addon's helper, which asks it, is there. */
  readonly asked?: { readonly driver: CudaDriver | undefined };
  readonly graphics: Graphics;
  readonly visibleDevices: string | undefined;
  /** The kernels, which the driver must serve; default: none, and those of the packages are expected. */
  readonly search?: PluginSearch;
}

const noSearch: PluginSearch = { places: [], fix: '' };

/**
 * Puts the libtorch for the CPU or for CUDA into the cache, says which and why, and what a GPU still lacks afterwards.
 * @throws AdaptiveTrainerError DEVICE_NOT_AVAILABLE for CUDA on a machine that cannot use it, or one of setupLibtorch's or
 * setupCudaLibtorch's
 */
export async function setupForMachine(options: MachineSetupOptions): Promise<Libtorch> {
  const { wish, withoutGpu = false, from, force = false, env = process.env } = options;
  const onProgress = options.onProgress ?? (() => {});
  const note = (message: string) => onProgress({ phase: 'note', message });
  const gpus = options.gpus ?? seenGpus(env);
  const { cuda, why } = chooseLibtorch(wish, gpus, withoutGpu);
  note(why);
  const setupForCpu = () => {
    const fetcher = from === undefined ? {} : { fetcher: () => cpuWheel(from) };
    return setupLibtorch({ ...{ force, env, onProgress }, ...fetcher });
  };
  if (!cuda) return setupForCpu();
  let unfit: CudaFault[] = [];
  const onCuda = (version: string | undefined) => {
    if (withoutGpu) return;
    const other = version === undefined ? [] : otherCuda('the torch that is there', version, searchOf(gpus));
    unfit = [...gpuFaults(gpus, version), ...other];
    expectGpu(unfit);
  };
  const version = addonVersion(env);
  let libtorch: Libtorch;
  try {
    libtorch = await setupCudaLibtorch({
      ...{ version, force, env, onProgress, onCuda },
      ...(from === undefined ? {} : { from }),
    });
  } catch (error) {
    // The libtorch that there is turned out to be for another CUDA; nobody asked for a GPU.
    if (wish !== 'auto' || !AdaptiveTrainerError.isInstance(error, 'DEVICE_NOT_AVAILABLE')) throw error;
    for (const { found, fix } of unfit) note(`libtorch for the CPU: ${found}. What helps for a GPU: ${fix}.`);
    return setupForCpu();
  }
  const lacking = [...gpuFaults(gpus, undefined), ...pluginFaultsOf(libtorch, env)];
  for (const { found, fix } of lacking) note(`A GPU cannot be used yet: ${found}. What helps: ${fix}.`);
  return libtorch;
}

/**
 * Whether the libtorch with CUDA is to be fetched, and the reason in a sentence.
 * @throws AdaptiveTrainerError DEVICE_NOT_AVAILABLE for CUDA on a machine that cannot use it
 */
export function chooseLibtorch(
  wish: MachineSetupOptions['wish'],
  gpus: SeenGpus,
  withoutGpu: boolean,
  platform: NodeJS.Platform = process.platform,
): { cuda: boolean; why: string } {
  if (wish === 'cpu') return { cuda: false, why: 'libtorch for the CPU, as asked for.' };
  if (wish === 'cuda') {
    // On another system there is a clearer answer.
    if (!withoutGpu && platform === 'linux') expectGpu(gpuFaults(gpus, undefined));
    return { cuda: true, why: 'libtorch for CUDA, as asked for.' };
  }
  if (platform !== 'linux')
    return { cuda: false, why: 'libtorch for the CPU: GPUs are computed on under Linux alone.' };
  const [fault] = gpuFaults(gpus, undefined);
  if (fault !== undefined) {
    // Where there is a GPU, somebody may want it used.
    const help = gpus.graphics.devices.length > 0 ? ` What helps for a GPU: ${fault.fix}.` : '';
    return { cuda: false, why: `libtorch for the CPU: ${fault.found}.${help}` };
  }
  return {
    cuda: true,
    why: `libtorch for CUDA: ${describe(gpus)}. \`npx adaptive-trainer setup --cpu\` fetches the one for the CPU.`,
  };
}

/** What keeps a machine from computing on its first GPU with a libtorch of a CUDA version, besides libtorch and the plugin. */
function gpuFaults(gpus: SeenGpus, cuda: string | undefined): CudaFault[] {
  const { asked, graphics, visibleDevices } = gpus;
  const about = { cuda, search: searchOf(gpus), visibleDevices };
  if (asked !== undefined) return driverFaults(0, { driver: asked.driver, ...about });
  if (graphics.driver === undefined) return driverFaults(0, { driver: undefined, ...about });
  const needed = neededCuda(about);
  if (isOldDriver(graphics.driver, needed))
    return [oldDriver(`NVIDIA's driver is ${graphics.driver}`, needed)];
  if (graphics.devices.length > 0) return [];
  return driverFaults(0, { driver: { devices: [] }, ...about });
}

function searchOf({ search = noSearch }: SeenGpus): PluginSearch {
  return search;
}

function describe({ asked, graphics }: SeenGpus): string {
  if (asked?.driver === undefined) return `NVIDIA driver ${graphics.driver}, ${graphics.devices.join(' ')}`;
  const { devices = [], version = 0 } = asked.driver;
  return `cuda:0 is ${devices[0]!.name}, and the driver serves CUDA ${cudaVersionText(version)}`;
}

function expectGpu(faults: readonly CudaFault[]): void {
  if (faults.length === 0) return;
  const list = faults.map(({ found, fix }) => `  - ${found}. What helps: ${fix}.`);
  throw new AdaptiveTrainerError(
    'DEVICE_NOT_AVAILABLE',
    [
      'Expected a GPU that libtorch for CUDA can compute on, but this machine lacks what that takes. Nothing more was fetched.',
      ...list,
      '`npx adaptive-trainer setup --cuda --without-gpu` fetches it all the same, as for an image; `npx adaptive-trainer setup ' +
        '--cpu` fetches the one for the CPU.',
    ].join('\n'),
    {
      details: {
        device: 'cuda:0',
        missing: faults.map(({ missing }) => missing),
        fixes: faults.map(({ fix }) => fix),
      },
    },
  );
}

function seenGpus(env: NodeJS.ProcessEnv): SeenGpus {
  const addon = addonIn(env);
  return {
    ...(addon !== undefined && existsSync(helperOf(addon)) ? { asked: { driver: driverOf(addon) } } : {}),
    graphics: seenGraphics(),
    visibleDevices: env['CUDA_VISIBLE_DEVICES'],
    ...(addon === undefined ? {} : { search: findCudaPlugin(addon, env) }),
  };
}

/** Setup may come before the addon is there. */
function addonIn(env: NodeJS.ProcessEnv): string | undefined {
  try {
    return findAddon({ env });
  } catch {
    return undefined;
  }
}

function addonVersion(env: NodeJS.ProcessEnv): string {
  const addon = addonIn(env);
  return (addon === undefined ? undefined : readAddonBuild(addon)?.libtorchVersion) ?? libtorchPin.version;
}

function pluginFaultsOf(libtorch: Libtorch, env: NodeJS.ProcessEnv): CudaFault[] {
  const addon = addonIn(env);
  if (addon === undefined) return [];
  return pluginFaults({ search: findCudaPlugin(addon, env), libtorch, cuda: cudaOfLibtorch(libtorch) });
}

async function cpuWheel(folder: string): Promise<{ zip: string; kind: 'wheel'; source: string }> {
  const zip = torchIn(folder, await wheelsIn(folder), { version: libtorchPin.version, cuda: false });
  return { zip, kind: 'wheel', source: zip };
}
