import { describeValue } from '../../common/describe-value.js';
import { AdaptiveTrainerError } from '../../errors.js';
import { learningStyles } from '../../events/learning-style.js';
import type { TrainingRow } from '../../events/training-row.js';

/** The row that is checked. */
export interface RowPlace {
  dataset: string;
  /** Where it stands in the dataset, from 0; undefined where that is not known. */
  row: number | undefined;
  /** Its place in words. Default: `row 4 of trainDataset`. */
  where?: string;
}

/** What of a model limits a row. `maxPositions`: most tokens, where positions are learned; 0: any number. */
export interface RowLimits {
  readonly vocabSize: number;
  readonly decoder: { readonly maxPositions: number };
}

/**
 * Checks one row before it reaches the engine.
 * @throws AdaptiveTrainerError DATASET_INVALID naming the row, what was expected, and what to do
 */
export function checkRow(row: TrainingRow, place: RowPlace, { vocabSize, decoder }: RowLimits): void {
  const fail = (expected: string, found: string, advice: string) => {
    const source = typeof row?.source === 'string' ? row.source : undefined;
    const where = place.where ?? `row ${place.row} of ${place.dataset}`;
    const from = source === undefined ? '' : ` (from ${source})`;
    throw new AdaptiveTrainerError(
      'DATASET_INVALID',
      `Expected ${expected} in ${where}${from}, found ${found}. ${advice}`,
      {
        details: {
          dataset: place.dataset,
          where,
          source,
          ...(place.row === undefined ? {} : { row: place.row }),
        },
      },
    );
  };
  if (row === null || typeof row !== 'object' || !isList(row.inputIds) || !isList(row.labels)) {
    const advice = 'encodeChat() makes such rows from chats, DatasetMixer from files.';
    return fail('{ inputIds, labels, learningStyle }', describeValue(row), advice);
  }
  const { inputIds, labels, learningStyle } = row;
  if (inputIds.length === 0) fail('at least one token', 'none', 'Leave the row out.');
  if (labels.length !== inputIds.length) {
    const advice = 'Labels line up with inputIds; give -100 to a token that is not trained.';
    fail(`one label per token (${inputIds.length})`, String(labels.length), advice);
  }
  const { maxPositions } = decoder;
  if (maxPositions > 0 && inputIds.length > maxPositions) {
    const advice = `Cut it, or leave it out; with DatasetMixer, set maxLengthToken: ${maxPositions}.`;
    fail(
      `at most ${maxPositions} tokens, the positions that the model has,`,
      String(inputIds.length),
      advice,
    );
  }
  if (!learningStyles.includes(learningStyle)) {
    const found = describeValue(learningStyle);
    fail(
      `a learningStyle of ${learningStyles.join(', ')}`,
      found,
      'docs/adaptive-loss.md says what each means.',
    );
  }
  const advice =
    "Encode rows with the model's own tokenizer; fitVocabulary() makes room for tokens added to it.";
  let trained = 0;
  for (let t = 0; t < inputIds.length; t++) {
    if (!isToken(inputIds[t], vocabSize))
      fail(`token ids from 0 to ${vocabSize - 1}`, `${inputIds[t]} at position ${t}`, advice);
    if (labels[t] === -100) continue;
    if (!isToken(labels[t], vocabSize))
      fail(`labels from 0 to ${vocabSize - 1} or -100`, `${labels[t]} at position ${t}`, advice);
    if (t > 0) trained++; // nothing predicts the first token
  }
  if (trained === 0) {
    const expected = 'at least one token to train (a label that is not -100, after the first position)';
    fail(expected, 'none', 'Leave the row out.');
  }
}

function isList(value: unknown): value is ArrayLike<number> {
  return Array.isArray(value) || ArrayBuffer.isView(value);
}

function isToken(value: unknown, vocabSize: number): boolean {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < vocabSize;
}
