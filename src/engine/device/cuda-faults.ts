import { packageVersion } from '../../common/package-version.js';
import type { Libtorch } from '../libtorch/libtorch.js';
import { libtorchRelease } from '../platform/prebuilt.js';
import { cudaVersionText, driverFailure, type CudaDriver } from './cuda-driver.js';
import type { CudaPlugin } from './cuda-plugin.js';

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
  readonly plugin: CudaPlugin | undefined;
  /** Where the plugin was looked for. */
  readonly pluginPlaces: readonly string[];
  readonly visibleDevices: string | undefined;
}

/** The least compute capability that the kernels are compiled for. */
const leastCapability = 8;
/** The first driver of each CUDA release; a driver serves every minor version of its own. */
const firstDriver: Readonly<Record<string, string>> = { 11: '450.80', 12: '525.60', 13: '580.65' };
const build = '`npm run build:cuda` in a checkout builds it (docs/cuda.md)';

/** All that keeps device `index` from being computed on. */
export function cudaFaults(index: number, facts: CudaFacts): CudaFault[] {
  return [...driverFaults(index, facts), ...libtorchFaults(facts), ...pluginFaults(facts)];
}

/** What is wrong with the driver, or device `index`, for a libtorch of a CUDA version. */
export function driverFaults(
  index: number,
  { driver, cuda, visibleDevices }: Pick<CudaFacts, 'driver' | 'cuda' | 'visibleDevices'>,
): CudaFault[] {
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
  const tooOld =
    cuda !== undefined && Number.parseInt(serves, 10) < Number.parseInt(cuda, 10)
      ? [oldDriver(serves, cuda)]
      : [];
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

function oldDriver(serves: string, cuda: string): CudaFault {
  const first = firstDriver[Number.parseInt(cuda, 10)];
  return {
    missing: 'driver-version',
    found: `NVIDIA's driver serves CUDA ${serves}, and libtorch was built for CUDA ${cuda}`,
    fix: `install driver ${first === undefined ? 'for that CUDA version' : first} or later, or a libtorch built for CUDA ${serves}`,
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
  plugin,
  pluginPlaces,
  libtorch,
}: Pick<CudaFacts, 'plugin' | 'pluginPlaces' | 'libtorch'>): CudaFault[] {
  if (plugin === undefined)
    return [
      {
        missing: 'plugin',
        found: `the kernels for CUDA are not built (no ${pluginPlaces.join(', no ')})`,
        fix: `${build}; ADAPTIVE_TRAINER_CUDA_PLUGIN may name it`,
      },
    ];
  const { version, libtorchVersion } = plugin;
  const differences = [
    ...(version === packageVersion() ? [] : [`adaptive-trainer ${version ?? 'of an unknown version'}`]),
    ...(libtorchVersion !== undefined &&
    libtorchRelease(libtorchVersion) === libtorchRelease(libtorch.version)
      ? []
      : [`libtorch ${libtorchVersion ?? 'of an unknown version'}`]),
  ];
  if (differences.length === 0) return [];
  return [
    {
      missing: 'plugin-version',
      found: `${plugin.file} was built for ${differences.join(' and ')}, and this is adaptive-trainer ${packageVersion()} with libtorch ${libtorch.version}`,
      fix: build,
    },
  ];
}
