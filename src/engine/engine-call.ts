import { AdaptiveTrainerError, type ErrorCode } from '../errors.js';

/**
 * Awaits a call of the addon; its rejections become AdaptiveTrainerError with the code the engine gave.
 * A plain exception of the addon (an argument of the wrong type) becomes INVALID_INPUT.
 */
export async function engineCall<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (cause) {
    const code = (cause as { code?: ErrorCode }).code;
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new AdaptiveTrainerError(code ?? 'INVALID_INPUT', message, { cause });
  }
}
