import { AdaptiveTrainerError } from '../../../src/errors.js';

/** The library's error that `run` ends with; anything else, success included, fails the test. */
export async function errorOf(run: () => unknown): Promise<AdaptiveTrainerError> {
  try {
    await run();
  } catch (error) {
    if (AdaptiveTrainerError.isInstance(error)) return error;
    throw error;
  }
  throw new Error('Expected an AdaptiveTrainerError, but nothing was thrown.');
}
