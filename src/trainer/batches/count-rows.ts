import { rowLength } from '../../data/mix/row-list.js';
import type { StartEvent } from '../../events/training-event.js';
import { isRowArray } from './is-row-array.js';
import type { TrainingRows } from './training-rows.js';

/** The counts of rows and tokens in the start event; 0 and absent for streams. */
export function countRows(
  train: TrainingRows,
  evaluation: TrainingRows | undefined,
): Pick<StartEvent, 'trainRows' | 'evalRows' | 'tokensPerEpoch'> {
  const lengthOf = (rows: TrainingRows | undefined) => (rows && isRowArray(rows) ? rows.length : 0);
  const counts = { trainRows: lengthOf(train), evalRows: lengthOf(evaluation) };
  if (!isRowArray(train)) return counts;
  let tokensPerEpoch = 0;
  for (let row = 0; row < train.length; row++) tokensPerEpoch += rowLength(train, row);
  return { ...counts, tokensPerEpoch };
}
