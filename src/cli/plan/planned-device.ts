import { AdaptiveTrainerError } from '../../errors.js';
import { engineCall } from '../../engine/engine-call.js';
import { openDevice } from '../../engine/device/open-device.js';
import type { DecoderConfig } from '../../engine/addon.js';
import { createModel } from '../../model/create-model.js';
import { readLaunch } from '../../ranks/launch.js';
import type { PlannedRun } from '../../trainer/memory/planned-run.js';
import { memoryOfRun } from '../../trainer/memory/report-memory.js';

/** What libtorch's half for CUDA and NVIDIA's libraries take of main memory, which are not loaded without a GPU. An assumption. */
const librariesOfCuda = 2 ** 30;

/** Where a run is planned for. */
export interface PlannedDevice {
  /** As the engine names it, or as the configuration does where the device is not in this machine. */
  name: string;
  isHere: boolean;
  /** Bytes of one that is not here; undefined: nobody said. */
  total?: number;
}

/**
 * The device of a run, which is opened where it is here. A GPU that this machine lacks is planned for all the same.
 * @param wish as in the configuration
 * @param memory bytes of a GPU that need not be here, in place of the configuration's device
 */
export function plannedDevice(
  wish: string,
  memory: number | undefined,
  onWarning: (message: string) => void,
): PlannedDevice {
  if (memory !== undefined)
    return { name: wish.startsWith('cuda') ? wish : 'cuda', isHere: false, total: memory };
  try {
    return { name: openDevice(wish, readLaunch), isHere: true };
  } catch (error) {
    if (!AdaptiveTrainerError.isInstance(error, 'DEVICE_NOT_AVAILABLE')) throw error;
    onWarning(
      `The run cannot be on this machine: ${error.message} This is the plan for a GPU elsewhere; --device-memory 24GiB says how much memory that has.`,
    );
    return { name: wish, isHere: false };
  }
}

/**
 * What the run finds there before its model is read. Of the CPU as the engine counts it: what the system has to give, a cgroup's
 * limit included.
 * @param ranks of this machine
 */
export async function memoryThere(
  { name, isHere, total }: PlannedDevice,
  decoder: DecoderConfig,
  ranks: number,
): Promise<Pick<PlannedRun, 'available' | 'held' | 'base' | 'device'>> {
  if (!isHere) {
    const base = process.memoryUsage.rss() + librariesOfCuda;
    const device = { name, ...(total === undefined ? {} : { total }), host: { base } };
    return { available: total ?? Infinity, held: 0, base, device };
  }
  const native = await createModel({ ...decoder, layers: decoder.layers.slice(0, 1) }, name);
  try {
    const memory = await engineCall(() => native.memory());
    return memoryOfRun({ ...memory, weights: 0, optimizer: 0 }, name, ranks);
  } finally {
    native.dispose();
  }
}
