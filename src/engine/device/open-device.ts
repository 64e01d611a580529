import { existsSync } from 'node:fs';
import path from 'node:path';
import { expectInput } from '../../common/expect-input.js';
import { AdaptiveTrainerError } from '../../errors.js';
import { dlopen, helperOf, type LoadHelper } from '../load/dlopen.js';
import { chooseBinaries, loadAddon, type Binaries } from '../load/load-addon.js';
import { planAddonLoad } from '../load/plan-addon-load.js';
import { checkDevice } from './check-device.js';
import { cudaFaults, type CudaFacts, type CudaFault } from './cuda-faults.js';
import { cudaOfLibtorch } from './cuda-of-libtorch.js';
import { findCudaPlugin } from './cuda-plugin.js';

/** Whether `auto` has taken the CPU for a card that computes otherwise: the check takes seconds, and the warning is told once. */
let avoidsCard = false;

/**
 * The device that is computed on, as the engine names it: `cpu` or `cuda:<index>`. For a GPU, libtorch's half for CUDA and the
 * kernels are loaded into this process, once a small model has come out on it as on the CPU.
 * @param wish `cpu`; `cuda`: the first GPU, or that of this rank; `cuda:<index>`; `auto`: the same as `cuda` where there is all
 * that it needs, else `cpu`, with a warning where the model comes out otherwise
 * @param readPlace which of several ranks of this machine the process is; undefined: it is on its own
 * @throws AdaptiveTrainerError DEVICE_NOT_AVAILABLE with all that is missing, INVALID_INPUT for one GPU of several ranks, or one of
 * the addon's loading
 */
export function openDevice(
  wish: string,
  readPlace: () => PlaceOnMachine | undefined,
  env: NodeJS.ProcessEnv = process.env,
): string {
  if (wish === 'cpu') return 'cpu';
  const isAuto = wish === 'auto';
  const binaries = chooseBinaries({ cuda: true });
  if (isAuto && (avoidsCard || !binaries.libtorch.cuda)) return 'cpu';
  const facts = cudaFacts(binaries, env);
  const index = deviceIndex(wish, readPlace(), facts.driver?.devices?.length ?? 0);
  const device = `cuda:${index}`;
  const faults = cudaFaults(index, facts);
  if (faults.length === 0) faults.push(...load(index, binaries, facts, env));
  if (faults.length === 0) return device;
  if (!isAuto) throw unavailable(device, faults);
  const wrong = faults.find(({ missing }) => missing === 'check');
  if (wrong !== undefined) {
    avoidsCard = true;
    process.emitWarning(`Computing on the CPU, as ${wrong.found}. What helps: ${wrong.fix}.`, {
      code: 'ADAPTIVE_TRAINER_DEVICE',
    });
  }
  return 'cpu';
}

/** Which of the ranks of its machine a process is, from 0. */
export interface PlaceOnMachine {
  readonly localRank: number;
  readonly localSize: number;
}

/** Each rank of a machine takes a GPU of its own. Where each is shown but one (`srun --gpus-per-task=1`), that is number 0. */
function deviceIndex(wish: string, place: PlaceOnMachine | undefined, count: number): number {
  const named = /^cuda:(\d+)$/.exec(wish)?.[1];
  const { localRank = 0, localSize = 1 } = place ?? {};
  expectInput(
    named === undefined || localSize === 1,
    'device',
    `"cuda" with ${localSize} ranks on this machine, of which each then takes the GPU of its number`,
    wish,
  );
  return named === undefined ? localRank % Math.max(1, count) : Number(named);
}

/** What a GPU needs, as far as it is found on this machine. Nothing of libtorch is loaded. */
export function cudaFacts({ addon, libtorch }: Binaries, env: NodeJS.ProcessEnv = process.env): CudaFacts {
  return {
    driver: driverOf(addon),
    libtorch,
    cuda: libtorch.cuda ? cudaOfLibtorch(libtorch) : undefined,
    search: findCudaPlugin(addon, env),
    visibleDevices: env['CUDA_VISIBLE_DEVICES'],
  };
}

/** What NVIDIA's driver says to the helper beside an addon. */
export function driverOf(addon: string): CudaFacts['driver'] {
  const helper = helperOf(addon);
  if (!existsSync(helper)) return { fault: `there is no ${helper}, which asks it` };
  return (dlopen(helper) as LoadHelper).cudaDriver();
}

/** Loads what computes on a GPU. libtorch looks for its half for CUDA once, so that comes before anything is computed. */
function load(
  index: number,
  binaries: Binaries,
  { driver, search: { plugin, fix: pluginFix } }: CudaFacts,
  env: NodeJS.ProcessEnv,
): CudaFault[] {
  const { addon, libtorch } = binaries;
  const engine = loadAddon(binaries);
  const { preload } = dlopen(helperOf(addon)) as LoadHelper;
  const library = path.join(libtorch.libDir, 'libtorch_cuda.so');
  const parts = [
    [
      'libtorch',
      library,
      'run `npx adaptive-trainer setup --cuda --force`, or install libtorch with the nvidia packages that it names, beside it',
    ],
    ['plugin', plugin!.file, pluginFix],
  ] as const;
  for (const [missing, file, fix] of parts) {
    try {
      preload([file]);
    } catch (cause) {
      return [{ missing, found: `${file} cannot be loaded (${(cause as Error).message})`, fix }];
    }
  }
  if (engine.cudaDevices() > index) {
    const fault = checkDevice(
      {
        device: `cuda:${index}`,
        card: [driver!.devices![index], driver!.version],
        addon: planAddonLoad(addon, libtorch),
        libraries: parts.map(([, file]) => file),
      },
      env,
    );
    return fault === undefined ? [] : [fault];
  }
  return [
    {
      missing: 'start',
      found: 'libtorch does not find the device that the driver shows',
      fix: 'ask for the GPU before anything is computed on the CPU in this process; see whether `nvidia-smi` works',
    },
  ];
}

function unavailable(device: string, faults: readonly CudaFault[]): AdaptiveTrainerError {
  const list = faults.map(({ found, fix }) => `  - ${found}. What helps: ${fix}.`);
  return new AdaptiveTrainerError(
    'DEVICE_NOT_AVAILABLE',
    [
      `Expected to compute on ${device}, but this machine lacks what that takes:`,
      ...list,
      'device "cpu" or "auto" computes without a GPU.',
    ].join('\n'),
    {
      details: { device, missing: faults.map(({ missing }) => missing), fixes: faults.map(({ fix }) => fix) },
    },
  );
}
