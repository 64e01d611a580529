import { isPlainObject } from '../common/is-plain-object.js';
import { defaultTimeout, joinRanks } from '../ranks/join-ranks.js';
import { readLaunch } from '../ranks/launch.js';
import { ExitStatus } from './exit-status.js';

/**
 * Does work at every rank that was started. Where it fails, one of them throws the error, to be printed, and the others end
 * without a word.
 * @param config what it says of `ddpTimeout` holds for the ranks' meeting; it may be anything, or fail
 */
export async function tellOnce<Result>(
  config: Promise<unknown>,
  work: () => Promise<Result>,
): Promise<Result> {
  if (readLaunch() === undefined) return work();
  const ranks = await joinRanks(timeoutOf(await config.catch(() => undefined)));
  try {
    return await work();
  } catch (error) {
    if (error instanceof ExitStatus) throw error;
    const mayTell = await ranks.mayTell(error);
    await ranks.leave(error);
    if (mayTell) throw error;
    throw new ExitStatus(1);
  }
}

function timeoutOf(config: unknown): number {
  if (!isPlainObject(config)) return defaultTimeout;
  const training = config['trainingConfig'] ?? config['training_config'];
  const seconds = isPlainObject(training) ? (training['ddpTimeout'] ?? training['ddp_timeout']) : undefined;
  return typeof seconds === 'number' && seconds > 0 ? seconds : defaultTimeout;
}
