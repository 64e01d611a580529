import { availableParallelism, cpus } from 'node:os';
import type { Launch } from './launch.js';

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
