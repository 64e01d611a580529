import { AdaptiveTrainerError } from '../../errors.js';

/** The error for a row that cannot be used. `sampleToChat` adds which one it is. */
export function rowFault(message: string, details?: Record<string, unknown>): AdaptiveTrainerError {
  return new AdaptiveTrainerError('DATASET_INVALID', message, { details: details ?? {} });
}
