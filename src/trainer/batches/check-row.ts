import { learningStyles } from '../../events/learning-style.js';
import type { TrainingRow } from '../../events/training-row.js';
import { describeValue } from '../../common/describe-value.js';
import { AdaptiveTrainerError } from '../../errors.js';

/**
 * Checks one row before it reaches the engine.
 * @throws AdaptiveTrainerError DATASET_INVALID naming the dataset, the row and what was expected
 */
export function checkRow(row: TrainingRow, index: number, dataset: string, vocabSize: number): void {
  const fail = (expected: string, found: string) => {
    const source = row?.source === undefined ? '' : ` (from ${row.source})`;
    throw new AdaptiveTrainerError(
      'DATASET_INVALID',
      `Expected ${expected} in row ${index} of ${dataset}${source}, found ${found}.`,
      { details: { dataset, row: index, source: row?.source } },
    );
  };
  if (row === null || typeof row !== 'object' || !isList(row.inputIds) || !isList(row.labels)) {
    return fail('{ inputIds, labels, learningStyle }', describeValue(row));
  }
  const { inputIds, labels, learningStyle } = row;
  if (inputIds.length === 0) fail('at least one token', 'none');
  if (labels.length !== inputIds.length)
    fail(`one label per token (${inputIds.length})`, String(labels.length));
  if (!learningStyles.includes(learningStyle)) {
    fail(`a learningStyle of ${learningStyles.join(', ')}`, describeValue(learningStyle));
  }
  let trained = 0;
  for (let t = 0; t < inputIds.length; t++) {
    if (!isToken(inputIds[t], vocabSize))
      fail(`token ids from 0 to ${vocabSize - 1}`, `${inputIds[t]} at position ${t}`);
    if (labels[t] === -100) continue;
    if (!isToken(labels[t], vocabSize))
      fail(`labels from 0 to ${vocabSize - 1} or -100`, `${labels[t]} at position ${t}`);
    if (t > 0) trained++; // nothing predicts the first token
  }
  if (trained === 0)
    fail('at least one token to train (a label that is not -100, after the first position)', 'none');
}

function isList(value: unknown): value is ArrayLike<number> {
  return Array.isArray(value) || ArrayBuffer.isView(value);
}

function isToken(value: unknown, vocabSize: number): boolean {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < vocabSize;
}
