import { AdaptiveTrainerError } from '../../errors.js';
import type { TrainingRow } from '../../events/training-row.js';
import { rememberRowNumber } from './row-number.js';
import type { TrainingRows } from './training-rows.js';

const wentThrough = new WeakSet<object>();

/** The rows of a stream from its beginning, each remembering where it stands. */
export async function* onePass(
  rows: AsyncIterable<TrainingRow>,
): AsyncGenerator<TrainingRow, void, undefined> {
  let number = 0;
  for await (const row of rows) yield rememberRowNumber(row, number++);
  if (number > 0) wentThrough.add(rows);
}

/**
 * The error for a dataset that brought no rows.
 * @param when it was read, for the message
 */
export function noRows(rows: TrainingRows, name: string, when: string): AdaptiveTrainerError {
  const message = wentThrough.has(rows)
    ? `Expected the rows of ${name} once more, for ${when}, found none: ${onceOnly}`
    : `Expected rows in ${name}, for ${when}, found none.`;
  return new AdaptiveTrainerError('DATASET_INVALID', message, { details: { dataset: name } });
}

/**
 * Refuses a generator, which can be read once, where several passes are needed.
 * @throws AdaptiveTrainerError DATASET_INVALID
 */
export function refuseOnceOnly(rows: TrainingRows, name: string, passes: number): void {
  if (passes < 2 || !isGenerator(rows)) return;
  const message = `Expected an ${name} that can be read ${passes} times, found a generator: ${onceOnly}`;
  throw new AdaptiveTrainerError('DATASET_INVALID', message, { details: { dataset: name } });
}

const onceOnly =
  'it is used up after the first time. Give an array, or an object whose [Symbol.asyncIterator] starts anew: ' +
  '{ [Symbol.asyncIterator]: () => generate() }.';

function isGenerator(rows: TrainingRows): boolean {
  return typeof (rows as { next?: unknown }).next === 'function';
}
