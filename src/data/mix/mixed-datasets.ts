import type { DatasetReport } from '../../events/dataset-report.js';
import type { TrainingRow } from '../../events/training-row.js';

/**
 * The rows of all datasets: `train` shuffled, `eval` in the order of the configuration. Each row is made when it is asked
 * for, from memory or from disk, so the lists can be read like any array but not changed; `[...train]` can.
 */
export interface MixedDatasets {
  train: readonly TrainingRow[];
  eval: readonly TrainingRow[];
  report: DatasetReport[];
}
