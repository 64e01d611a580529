import { expectInput } from '../common/expect-input.js';
import { learningStyles } from '../events/learning-style.js';
import type { NativeModel } from '../engine/addon.js';
import { flatBatch } from './flat-batch.js';

/** A row whose labelled tokens are judged. */
export interface RowToJudge {
  /** Token ids, [tokens]. */
  inputIds: ArrayLike<number>;
  /** [tokens], lined up with `inputIds`; -100 marks a token that is not judged. Default: all but the first are. */
  labels?: ArrayLike<number> | undefined;
}

export interface JudgeOptions {
  /** How many of the model's own first choices to give. Default 5; at most the vocabulary. */
  choices?: number;
  /** Judge with the adapter off: the base. Default false. */
  withoutAdapter?: boolean;
  /** Input tokens that go through the model at once; a longer row goes alone. Default 2048. */
  batchTokens?: number;
}

/** What a model makes of the labelled tokens of a row; the arrays run over these, in order. */
export interface JudgedRow {
  /** Where each stands in the row: [n]. The first token of a row has none before it, and is never among them. */
  positions: Int32Array;
  /** −log p, nats: [n]. */
  nll: Float32Array;
  /** p, 0 to 1: [n]. */
  probability: Float64Array;
  /** 1 for the first choice; one more than the number of tokens that are likelier; the last where a logit is NaN: [n]. */
  rank: Int32Array;
  /** The model's first choice, of equally likely ones the lowest id: [n]. */
  predicted: Int32Array;
  /** How many choices are given of each token. */
  choices: number;
  /** The first choices, best first, of equally likely ones the lower id first: [n × choices]. */
  choiceIds: Int32Array;
  /** Their probabilities: [n × choices]. */
  choiceProbability: Float64Array;
}

/** What calls the engine: a model. */
interface Caller {
  readonly vocabSize: number;
  call<T>(work: (native: NativeModel) => Promise<T>): Promise<T>;
}

/** What of a batch is asked for is always the same: no loss is taken from it. */
const request = {
  ...{ loss: 'ce' as const, topK: 1, confidence: 0, scale: 1 },
  state: { alpha: 1, beta: 1, alphaMoment1: 0, alphaMoment2: 0, betaMoment1: 0, betaMoment2: 0, step: 0 },
};

/** See `CausalLM.judgeTokens`. */
export async function* judgeTokens(
  model: Caller,
  rows: readonly RowToJudge[],
  { choices = 5, withoutAdapter = false, batchTokens = 2048 }: JudgeOptions,
): AsyncGenerator<JudgedRow, void, undefined> {
  expectInput(Number.isSafeInteger(choices) && choices >= 0, 'choices', 'a whole number, 0 or more', choices);
  expectInput(
    Number.isSafeInteger(batchTokens) && batchTokens >= 1,
    'batchTokens',
    'a whole number, 1 or more',
    batchTokens,
  );
  for (let first = 0, next = 0; first < rows.length; first = next) {
    const length = (at: number) => rows[at]!.inputIds.length;
    for (let taken = 0; next < rows.length && (next === first || taken + length(next) <= batchTokens); next++)
      taken += length(next);
    yield* await judgeBatch(model, rows.slice(first, next), first, { choices, withoutAdapter });
  }
}

async function judgeBatch(
  model: Caller,
  rows: readonly RowToJudge[],
  firstRow: number,
  options: { choices: number; withoutAdapter: boolean },
): Promise<JudgedRow[]> {
  const { inputIds, cuSeqlens } = flatBatch(
    rows.map((row) => row.inputIds),
    'rows',
  );
  const labels = inputIds.slice();
  rows.forEach((row, at) => {
    if (row.labels === undefined) return;
    const isWhole = row.labels.length === row.inputIds.length;
    expectInput(isWhole, `rows[${firstRow + at}].labels`, 'one label for each token', row.labels);
    labels.set(row.labels, cuSeqlens[at]!);
  });
  const styles = new Uint8Array(rows.length).fill(learningStyles.indexOf('misc'));
  const batch = { inputIds, cuSeqlens, labels, styles, ...request };
  const { choices: firstChoices, withoutAdapter } = options;
  const { tokens } = await model.call((native) =>
    native.evaluate({ ...batch, firstChoices, withoutAdapter }),
  );
  const { choices = 0, choiceIds = new Int32Array(), choiceNll = new Float32Array() } = tokens;
  let end = 0;
  return rows.map((_, row) => {
    const begin = end;
    while (end < tokens.rows.length && tokens.rows[end] === row) end++;
    const nll = tokens.nll.slice(begin, end);
    return {
      // The token that a position predicts is the next one.
      positions: tokens.positions.slice(begin, end).map((at) => at + 1 - cuSeqlens[row]!),
      nll,
      probability: probabilities(nll),
      // Beside a NaN nothing is greater.
      rank: tokens.rank
        .slice(begin, end)
        .map((greater, at) => (tokens.predicted[begin + at]! < 0 ? model.vocabSize : greater + 1)),
      predicted: tokens.predicted.slice(begin, end),
      choices,
      choiceIds: choiceIds.slice(begin * choices, end * choices),
      choiceProbability: probabilities(choiceNll.subarray(begin * choices, end * choices)),
    };
  });
}

function probabilities(nll: Float32Array): Float64Array {
  return Float64Array.from(nll, (value) => Math.exp(-value));
}
