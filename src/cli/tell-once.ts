import { isPlainObject } from '../common/is-plain-object.js';
import { readLaunch } from '../ranks/launch.js';
import { ExitStatus } from './exit-status.js';

/**
 * Reads a configuration and does work with it, at every rank that was started. Where one of the two fails, one rank throws the
 * error, to be printed, and the others end without a word.
 * @param read what it gives may be anything; what that says of `ddpTimeout` holds for the ranks' meeting
 */
export async function tellOnce<Result>(
  read: () => Promise<unknown>,
  work: (config: unknown) => Promise<Result>,
): Promise<Result> {
  if (readLaunch() === undefined) return work(await read());
  const config = await read().then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  const { defaultTimeout, joinRanks } = await import('../ranks/join-ranks.js');
  const ranks = await joinRanks(
    'error' in config ? defaultTimeout : (timeoutOf(config.value) ?? defaultTimeout),
  );
  try {
    if ('error' in config) throw config.error;
    return await work(config.value);
  } catch (error) {
    if (error instanceof ExitStatus) throw error;
    const mayTell = await ranks.mayTell(error);
    await ranks.leave(error);
    if (mayTell) throw error;
    throw new ExitStatus(1);
  }
}

function timeoutOf(config: unknown): number | undefined {
  if (!isPlainObject(config)) return undefined;
  const training = config['trainingConfig'] ?? config['training_config'];
  const seconds = isPlainObject(training) ? (training['ddpTimeout'] ?? training['ddp_timeout']) : undefined;
  return typeof seconds === 'number' && seconds > 0 ? seconds : undefined;
}
