import { AdaptiveTrainerError } from '../../src/errors.js';

/** The error that a promise rejects with; fails when it does not, or with another kind. */
export async function failureOf(promise: Promise<unknown>): Promise<AdaptiveTrainerError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error === undefined) throw new Error('Expected a failure but it succeeded.');
  if (!AdaptiveTrainerError.isInstance(error)) throw error;
  return error;
}
