import type { MixedDatasets } from '../data/mix/mixed-datasets.js';
import type { TrainingRow } from '../events/training-row.js';

const enough = 20;

/** Of texts that are to be kept, those that are not replayed where there are enough of them to tell something, else all. */
export function heldOut({ train, eval: evaluation }: MixedDatasets): readonly TrainingRow[] {
  return evaluation.length >= enough ? evaluation : [...evaluation, ...train];
}
