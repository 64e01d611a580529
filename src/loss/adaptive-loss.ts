import { learningStyles, type LearningStyle } from '../events/learning-style.js';
import { expectInput } from '../common/expect-input.js';
import type { AdaptiveState, AdaptiveTerms, TokenArrays } from '../engine/addon.js';
import { engineCall } from '../engine/engine-call.js';
import { loadAddon } from '../engine/load/load-addon.js';
import type { TokenStatistics } from '../events/training-event.js';
import { adaptiveState } from './adaptive-state.js';
import { lossStatistics } from './loss-statistics.js';

export interface AdaptiveLossOptions {
  /** Final hidden states, [rows, seq, hiddenSize], all finite. */
  hidden: Float32Array;
  /** The language-model head, [vocabSize, hiddenSize], all finite. */
  weight: Float32Array;
  rows: number;
  seq: number;
  hiddenSize: number;
  vocabSize: number;
  /** [rows, seq], not shifted: position t predicts the label at t + 1. -100 is not trained. */
  labels: Int32Array | readonly number[];
  /** The learning style of each row, [rows]. */
  styles: readonly LearningStyle[];
  /** 1 to vocabSize: a wrong token is outside when it is not among this many first choices. */
  topK: number;
  /** A first choice counts as correct only from this probability on, 0 to 1. Default 0: always. */
  confidence?: number;
  /** Share of each label that is spread over the vocabulary, 0 to 1. Default 0. */
  labelSmoothing?: number;
  /** Labels of a row before the last occurrence of these ids are not trained. Default: none. */
  demarcationIds?: Int32Array | readonly number[];
  /** α, β and their Adam moments. Default: α = β = 1, no step taken. */
  state?: Partial<AdaptiveState>;
  /** False computes no gradients and moves neither α nor β. Default true. */
  training?: boolean;
  /** Tokens whose logits exist at once; changes no result. Default: as many as the free memory allows. */
  chunkTokens?: number;
  /** Type of the matrix products; statistics and sums are float32 in either. Default `float32`. */
  dtype?: 'float32' | 'bfloat16';
}

export interface AdaptiveLossResult {
  loss: number;
  /** [rows, seq, hiddenSize]; zero where nothing is trained. Empty when `training` is false. */
  gradHidden: Float32Array;
  /** [vocabSize, hiddenSize]. Empty when `training` is false. */
  gradWeight: Float32Array;
  /** Counts under the names of the Python package, and the terms of the loss. */
  statistics: TokenStatistics & Omit<AdaptiveTerms, 'loss'>;
  /** [rows, seq] each: nll in nats (0 where there is no label), rank and predicted (-1 where there is none). */
  tokens: { nll: Float32Array; rank: Int32Array; predicted: Int32Array };
  /** After the step that α and β took; unchanged when `training` is false. */
  state: AdaptiveState;
}

/**
 * The adaptive loss and its gradients, straight from hidden states: logits exist for one chunk of tokens at a time.
 * The mathematics is in docs/adaptive-loss.md.
 *
 * @throws AdaptiveTrainerError INVALID_INPUT naming the argument, what was expected and what was found, also for a NaN or an
 *   infinity in `hidden` or `weight`, with its place; LOSS_NOT_FINITE where the logits or gradients of finite ones are not
 */
export async function adaptiveLoss(options: AdaptiveLossOptions): Promise<AdaptiveLossResult> {
  check(options);
  const { hidden, weight, rows, seq, hiddenSize, vocabSize, topK } = options;
  const used = adaptiveState(options.state);
  const result = await engineCall(async () =>
    loadAddon().adaptiveLoss({
      hidden,
      weight,
      rows,
      seq,
      hiddenSize,
      vocabSize,
      topK,
      loss: 'adaptive',
      confidence: options.confidence ?? 0,
      labelSmoothing: options.labelSmoothing ?? 0,
      scale: 1,
      labels: Int32Array.from(options.labels),
      demarcationIds: Int32Array.from(options.demarcationIds ?? []),
      styles: Uint8Array.from(options.styles, (style) => learningStyles.indexOf(style)),
      chunkTokens: options.chunkTokens ?? 0,
      bfloat16: options.dtype === 'bfloat16',
      training: options.training ?? true,
      state: used,
    }),
  );
  const { loss, ...terms } = result.terms;
  return {
    loss,
    gradHidden: result.gradHidden ?? new Float32Array(),
    gradWeight: result.gradWeight ?? new Float32Array(),
    statistics: { ...lossStatistics(result.sums, used), ...terms },
    tokens: spread(result.tokens, rows * seq),
    state: result.state,
  };
}

/** From one entry per labelled token to one per position. */
function spread(tokens: TokenArrays, positions: number): AdaptiveLossResult['tokens'] {
  const nll = new Float32Array(positions);
  const rank = new Int32Array(positions).fill(-1);
  const predicted = new Int32Array(positions).fill(-1);
  tokens.positions.forEach((position, i) => {
    nll[position] = tokens.nll[i]!;
    rank[position] = tokens.rank[i]!;
    predicted[position] = tokens.predicted[i]!;
  });
  return { nll, rank, predicted };
}

function check(options: AdaptiveLossOptions): void {
  const { rows, seq, hiddenSize, vocabSize } = options;
  for (const [name, value] of Object.entries({ rows, seq, hiddenSize, vocabSize })) {
    expectInput(Number.isSafeInteger(value) && value >= 1, name, 'a whole number, 1 or more', value);
  }
  const { topK, chunkTokens = 1, styles, dtype = 'float32', confidence = 0 } = options;
  const { labelSmoothing = 0 } = options;
  for (const [name, value] of Object.entries({ confidence, labelSmoothing }))
    expectInput(value >= 0 && value <= 1, name, 'a number from 0 to 1', value);
  expectInput(
    Number.isSafeInteger(topK) && topK >= 1 && topK <= vocabSize,
    'topK',
    `1 to vocabSize (${vocabSize})`,
    topK,
  );
  expectInput(
    Number.isSafeInteger(chunkTokens) && chunkTokens >= 1,
    'chunkTokens',
    'a whole number, 1 or more',
    chunkTokens,
  );
  expectInput(dtype === 'float32' || dtype === 'bfloat16', 'dtype', '"float32" or "bfloat16"', dtype);
  expectFloats('hidden', options.hidden, rows * seq * hiddenSize, `rows·seq·hiddenSize`);
  expectFloats('weight', options.weight, vocabSize * hiddenSize, `vocabSize·hiddenSize`);
  expectWholeNumbers('labels', options.labels);
  expectWholeNumbers('demarcationIds', options.demarcationIds ?? []);
  for (const [name, value] of Object.entries(adaptiveState(options.state))) {
    const holds = name === 'step' ? Number.isSafeInteger(value) && value >= 0 : Number.isFinite(value);
    expectInput(
      holds,
      `state.${name}`,
      name === 'step' ? 'a whole number, 0 or more' : 'a finite number',
      value,
    );
  }
  expectInput(
    options.labels.length === rows * seq,
    'labels',
    `rows·seq = ${rows * seq} values`,
    options.labels.length,
  );
  expectInput(Array.isArray(styles), 'styles', 'an array of learning styles', styles);
  expectInput(styles.length === rows, 'styles', `one learning style per row (${rows})`, styles.length);
  styles.forEach((style, row) =>
    expectInput(
      learningStyles.includes(style),
      `styles[${row}]`,
      `one of ${learningStyles.join(', ')}`,
      style,
    ),
  );
}

function expectWholeNumbers(name: string, values: unknown): void {
  if (values instanceof Int32Array) return;
  expectInput(Array.isArray(values), name, 'an Int32Array or an array of whole numbers', values);
  (values as unknown[]).forEach((value, i) =>
    expectInput(
      Number.isInteger(value) && Math.abs(value as number) < 2 ** 31,
      `${name}[${i}]`,
      'a whole number',
      value,
    ),
  );
}

function expectFloats(name: string, value: unknown, length: number, product: string): void {
  expectInput(value instanceof Float32Array, name, 'a Float32Array', value);
  const found = (value as Float32Array).length;
  expectInput(found === length, name, `${product} = ${length} values`, found);
}
