import { packageVersion } from '../../common/package-version.js';
import type { Libtorch } from '../libtorch/libtorch.js';
import { libtorchRelease } from '../platform/prebuilt.js';
import { cudaVersionText, driverFailure, type CudaDriver } from './cuda-driver.js';
import type { PluginSearch } from './cuda-plugin.js';

/** What a GPU needs and this machine may lack. */
export type CudaPart =
  | 'driver'
  | 'driver-version'
  | 'device'
  | 'capability'
  | 'libtorch'
  | 'plugin'
  | 'plugin-version'
  | 'start'
  | 'check';

export interface CudaFault {
  readonly missing: CudaPart;
  readonly found: string;
  readonly fix: string;
}

export interface CudaFacts {
  readonly driver: CudaDriver | undefined;
  readonly libtorch: Libtorch;
  /** The CUDA version that this libtorch was built for. */
  readonly cuda: string | undefined;
  readonly search: PluginSearch;
  readonly visibleDevices: string | undefined;
}

/** The least compute capability that the kernels are compiled for. */
const leastCapability = 8;
/** The first driver of each CUDA release. */
const firstDriver: Readonly<Record<string, string>> = { 11: '450.80', 12: '525.60', 13: '580.65' };
/** The CUDA version that the kernels are compiled with (scripts/cuda/requirements.txt). */
const kernelsCuda = '13.0';

/** All that keeps device `index` from being computed on. */
export function cudaFaults(index: number, facts: CudaFacts): CudaFault[] {
  return [...driverFaults(index, facts), ...libtorchFaults(facts), ...pluginFaults(facts)];
}

/** The CUDA version that a driver must serve: what libtorch and the kernels were built with, whichever is later. */
export function neededCuda({ cuda, search }: Pick<CudaFacts, 'cuda' | 'search'>): string {
  const kernels = search.plugin?.cuda ?? kernelsCuda;
  return cuda !== undefined && major(cuda) > major(kernels) ? cuda : kernels;
}

/** The number of a version before its first point. A driver serves every minor version of its own major one. */
function major(version: string): number {
  return Number.parseInt(version, 10);
}

/** What is wrong with the driver, or device `index`, for what is to be loaded. */
export function driverFaults(
  index: number,
  facts: Pick<CudaFacts, 'driver' | 'cuda' | 'search' | 'visibleDevices'>,
): CudaFault[] {
  const { driver, visibleDevices } = facts;
  if (driver === undefined)
    return [
      {
        missing: 'driver',
        found: 'there is no NVIDIA driver (no libcuda.so.1)',
        fix: 'install the driver; in a container, start it with the GPUs (`docker run --gpus all`)',
      },
    ];
  if (driver.fault !== undefined)
    return [
      {
        missing: 'driver',
        found: `NVIDIA's driver cannot be loaded (${driver.fault})`,
        fix: 'install the driver again',
      },
    ];
  const serves = cudaVersionText(driver.version ?? 0);
  const needed = neededCuda(facts);
  const isOld = driver.version !== undefined && major(serves) < major(needed);
  const tooOld = isOld ? [oldDriver(`NVIDIA's driver serves CUDA ${serves}`, needed)] : [];
  if (driver.failure !== undefined)
    return [
      ...tooOld,
      {
        missing: 'driver',
        found: `NVIDIA's driver does not start (${driverFailure(driver.failure)})`,
        fix: 'see whether `nvidia-smi` works',
      },
    ];
  return [...tooOld, ...deviceFaults(index, driver, visibleDevices)];
}

/** Whether a driver, by its own version, is older than a CUDA version asks for. */
export function isOldDriver(version: string, cuda: string): boolean {
  const first = firstDriver[major(cuda)];
  return first !== undefined && major(version) < major(first);
}

/** Every card with kernels here is served by drivers of CUDA 13, so an update is always possible. */
export function oldDriver(found: string, cuda: string): CudaFault {
  const first = firstDriver[major(cuda)];
  return {
    missing: 'driver-version',
    found: `${found}, and CUDA ${cuda} is what libtorch and the kernels here are built for`,
    fix:
      `update the driver to ${first === undefined ? `one that serves CUDA ${cuda}` : `${first} or later`}; where that cannot be, a data ` +
      `centre's card takes NVIDIA's package cuda-compat-${cuda.replace('.', '-')} instead (docs/troubleshooting.md)`,
  };
}

function deviceFaults(
  index: number,
  { devices = [] }: CudaDriver,
  visibleDevices: string | undefined,
): CudaFault[] {
  const seen = visibleDevices === undefined ? '' : ` (CUDA_VISIBLE_DEVICES is "${visibleDevices}")`;
  if (devices.length === 0)
    return [
      {
        missing: 'device',
        found: `NVIDIA's driver shows this process no device${seen}`,
        fix:
          visibleDevices === undefined
            ? 'see whether `nvidia-smi` lists one; in a container, start it with the GPUs'
            : 'unset CUDA_VISIBLE_DEVICES, or name a device in it',
      },
    ];
  const device = devices[index];
  if (device === undefined) {
    const last = devices.length - 1;
    return [
      {
        missing: 'device',
        found: `there ${last === 0 ? 'is one device, cuda:0' : `are ${last + 1} devices, cuda:0 to cuda:${last}`}${seen}`,
        fix: 'name one of these',
      },
    ];
  }
  if (Number.parseFloat(device.capability) >= leastCapability) return [];
  return [
    {
      missing: 'capability',
      found: `${device.name || 'the device'} has compute capability ${device.capability}`,
      fix: `use a card of compute capability ${leastCapability}.0 or later (Ampere and what came after it)`,
    },
  ];
}

function libtorchFaults({ libtorch }: CudaFacts): CudaFault[] {
  if (libtorch.cuda) return [];
  const release = libtorchRelease(libtorch.version);
  return [
    {
      missing: 'libtorch',
      found: `libtorch ${libtorch.version} in ${libtorch.root} is for the CPU alone (no libtorch_cuda)`,
      fix:
        (libtorch.source === 'process'
          ? 'ask for the GPU before anything is computed on the CPU in this process. If there is no libtorch with CUDA yet, '
          : '') +
        (libtorch.source === 'ADAPTIVE_TRAINER_LIBTORCH' || libtorch.source === 'LIBTORCH'
          ? `unset ${libtorch.source} and run \`npx adaptive-trainer setup --cuda\`, or set it to a libtorch ${release} with CUDA`
          : `run \`npx adaptive-trainer setup --cuda\`, or set ADAPTIVE_TRAINER_LIBTORCH to a libtorch ${release} with CUDA`) +
        `, such as the site-packages/torch of \`pip install torch==${release}.*\``,
    },
  ];
}

/** What is wrong with the plugin for a libtorch. */
export function pluginFaults({
  search,
  libtorch,
  cuda,
}: Pick<CudaFacts, 'search' | 'libtorch' | 'cuda'>): CudaFault[] {
  const { plugin, places, fix } = search;
  if (plugin === undefined)
    return [
      { missing: 'plugin', found: `the kernels for CUDA are not there (no ${places.join(', no ')})`, fix },
    ];
  const { version, libtorchVersion } = plugin;
  const differences = [
    ...(version === packageVersion() ? [] : [`adaptive-trainer ${version ?? 'of an unknown version'}`]),
    ...(libtorchVersion !== undefined &&
    libtorchRelease(libtorchVersion) === libtorchRelease(libtorch.version)
      ? []
      : [`libtorch ${libtorchVersion ?? 'of an unknown version'}`]),
  ];
  if (differences.length > 0)
    return [
      {
        missing: 'plugin-version',
        found: `${plugin.file} was built for ${differences.join(' and ')}, and this is adaptive-trainer ${packageVersion()} with libtorch ${libtorch.version}`,
        fix,
      },
    ];
  return cuda === undefined ? [] : otherCuda(`libtorch in ${libtorch.root}`, cuda, search);
}

/** The fault of a libtorch whose CUDA is not that of the kernels: structures of CUDA differ from one major version to the next. */
export function otherCuda(libtorch: string, cuda: string, { plugin }: PluginSearch): CudaFault[] {
  const ofKernels = plugin?.cuda ?? kernelsCuda;
  if (major(cuda) === major(ofKernels)) return [];
  return [
    {
      missing: 'plugin-version',
      found: `${libtorch} was built for CUDA ${cuda}, and the kernels for CUDA ${ofKernels}`,
      fix:
        `\`npx adaptive-trainer setup --cuda --force\` with an index whose torch is for CUDA ${major(ofKernels)}: PyPI, or ` +
        `PIP_INDEX_URL=https://download.pytorch.org/whl/cu${ofKernels.replace('.', '')}`,
    },
  ];
}
