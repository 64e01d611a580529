import { AdaptiveTrainerError } from '../errors.js';
import { ExitStatus } from './exit-status.js';

const interrupted = 130;

/**
 * Does work that Ctrl-C and SIGTERM abort; the second time the process ends.
 * @throws ExitStatus once it was aborted
 */
export async function untilInterrupted<Result>(
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const controller = new AbortController();
  const stop = () => {
    if (controller.signal.aborted) process.exit(interrupted);
    console.error('\nStopping. Press Ctrl-C again to stop at once.');
    controller.abort();
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  try {
    return await work(controller.signal);
  } catch (error) {
    if (!controller.signal.aborted || !AdaptiveTrainerError.isInstance(error, 'ABORTED')) throw error;
    console.error(error.message);
    throw new ExitStatus(interrupted);
  } finally {
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
  }
}
