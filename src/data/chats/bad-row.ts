import type { DatasetPlan } from '../../config/datasets/dataset-plan.js';
import { AdaptiveTrainerError } from '../../errors.js';
import type { BadRow } from '../../events/dataset-report.js';

/** Rows that cannot be used: an error or a list, as `onBadRow` of their dataset says. */
export const badRow = {
  /** How many are listed with their reasons; the others are counted. */
  mostListed: 10,

  /** The row and why, where such rows are skipped. @throws the error itself where they stop the run, or it is another's fault */
  orThrow({ onBadRow }: Pick<DatasetPlan, 'onBadRow'>, { where }: { where: string }, error: unknown): BadRow {
    if (onBadRow === 'stop' || !AdaptiveTrainerError.isInstance(error)) throw error;
    const reason = error.details['reason'];
    return { where, reason: typeof reason === 'string' ? reason : error.message };
  },
};
