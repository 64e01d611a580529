import { readFileSync } from 'node:fs';

/** Looks of a waiting thread before it sleeps: about half a millisecond, as nearly all waits of a step are shorter. */
const spins = '30000';

/**
 * Says how OpenMP's threads wait for one another, to libgomp, which reads it once as it is loaded. Nothing where the user has. They look for a moment
 * before they sleep where the engine can tell that others want the cores (native/core/wait_policy.h), and sleep at once elsewhere: threads that
 * look while others compute make a small model many times slower.
 * @param schedulerStatistics of this process, as Linux gives them
 */
export function chooseWaiting(
  environment: NodeJS.ProcessEnv,
  schedulerStatistics = '/proc/self/schedstat',
): void {
  if (environment['OMP_WAIT_POLICY'] !== undefined) return;
  if (hasStatistics(schedulerStatistics)) environment['GOMP_SPINCOUNT'] ??= spins;
  else environment['OMP_WAIT_POLICY'] = 'PASSIVE';
}

/** Kernels without them have no such file, or zeros in it. */
function hasStatistics(file: string): boolean {
  try {
    return Number(readFileSync(file, 'utf8').split(' ')[0]) > 0;
  } catch {
    return false;
  }
}
