import { AdaptiveTrainerError, type ErrorCode } from '../../src/errors.js';

/**
 * The library's error that `run` ends with; anything else, success included, fails the test.
 * @param code what its code must be
 */
export async function errorOf(run: () => unknown, code?: ErrorCode): Promise<AdaptiveTrainerError> {
  try {
    await run();
  } catch (error) {
    if (!AdaptiveTrainerError.isInstance(error)) throw error;
    if (code !== undefined && error.code !== code)
      throw new Error(`Expected ${code}, found ${error.code}: ${error.message}`, { cause: error });
    return error;
  }
  throw new Error('Expected an AdaptiveTrainerError, but nothing was thrown.');
}
