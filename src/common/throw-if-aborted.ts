import { AdaptiveTrainerError } from '../errors.js';

/** @throws AdaptiveTrainerError ABORTED with this message, once the signal is aborted */
export function throwIfAborted(signal: AbortSignal | undefined, message: string): void {
  if (signal?.aborted) throw new AdaptiveTrainerError('ABORTED', message, { cause: signal.reason });
}
