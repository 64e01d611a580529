import { availableParallelism, cpus } from 'node:os';
import type { WarningEvent } from '../events/training-event.js';
import type { Launch } from './launch.js';
import type { Ranks } from './ranks.js';

/**
 * Threads for one of several ranks of a machine: its share of the cores, unless the user chose.
 * torchrun sets OMP_NUM_THREADS=1 for whoever did not.
 * @returns undefined where OMP_NUM_THREADS holds
 */
export function threadShare(
  launch: Launch,
  env: NodeJS.ProcessEnv = process.env,
  cores = { available: availableParallelism(), all: cpus().length },
): number | undefined {
  const given = env['OMP_NUM_THREADS'];
  if (given !== undefined && !(launch.launcher === 'torchrun' && given === '1')) return undefined;
  const share = (count: number) => Math.max(1, Math.floor(count / launch.localSize));
  // Slurm and MPI may have bound the rank to its own cores.
  const isBound = launch.launcher === 'Slurm' || launch.launcher === 'MPI';
  return isBound && cores.available < cores.all
    ? Math.min(cores.available, share(cores.all))
    : share(cores.available);
}

/** Says that torchrun's OMP_NUM_THREADS does not hold; undefined where it does, or was not set. */
export function replacedThreads(
  { launch }: Ranks,
  threads: number,
  chosen: number | null,
  env: NodeJS.ProcessEnv = process.env,
): WarningEvent | undefined {
  if (launch?.launcher !== 'torchrun' || env['OMP_NUM_THREADS'] !== '1' || chosen !== null) return undefined;
  const message = `torchrun set OMP_NUM_THREADS=1; each of the ${launch.localSize} ranks of this machine computes with its share of the cores instead, ${threads} ${threads === 1 ? 'thread' : 'threads'}. Set threads, or another OMP_NUM_THREADS, for another number.`;
  return { type: 'warning', code: 'THREADS_SHARED', message };
}
