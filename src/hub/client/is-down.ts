import { AdaptiveTrainerError } from '../../errors.js';

/** Whether an error says that the Hub as a whole is out of reach; a refusal (401, 404) says nothing of that. */
export function isDown(error: unknown): boolean {
  if (!AdaptiveTrainerError.isInstance(error, 'HUB_FAILED')) return false;
  const { status, attempts } = error.details;
  return attempts !== undefined && (status === undefined || status >= 500);
}
