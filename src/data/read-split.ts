import { AdaptiveTrainerError } from '../errors.js';
import { encodeChat, type EncodeChatOptions } from '../tokenizer/encode-chat.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import type { DatasetPlan } from './dataset-plan.js';
import type { Sample } from './dataset-source.js';
import type { EventLoopPacer } from './event-loop-pacer.js';
import type { MixProgress } from './mixed-datasets.js';
import { sampleToChat } from './sample-to-chat.js';
import type { TrainingRow } from './training-row.js';

/** A row that will be trained or evaluated, with its sizes. */
export interface EncodedRow extends TrainingRow {
  inputIds: Int32Array;
  labels: Int32Array;
  trainedTokens: number;
}

/** The usable rows of one split, and what became of the others. */
export interface SplitRows {
  rows: EncodedRow[];
  read: number;
  tooLong: number;
  noTrainedToken: number;
  skipped: number;
  /** Tokens of the shortest row that was too long. */
  shortestTooLong: number;
}

/** What reading any split needs. */
export interface ReadContext {
  tokenizer: Tokenizer;
  maxLengthToken: number;
  chat: EncodeChatOptions;
  pacer: EventLoopPacer;
  onProgress: (progress: MixProgress) => void;
}

/**
 * Turns the rows of a split into token ids and labels, and leaves out what cannot be trained on.
 *
 * @throws AdaptiveTrainerError `DATASET_INVALID` or `CHAT_TEMPLATE_FAILED`, naming dataset and row
 */
export async function readSplit(
  plan: DatasetPlan,
  split: 'train' | 'eval',
  samples: AsyncIterable<Sample>,
  context: ReadContext,
): Promise<SplitRows> {
  const result: SplitRows = {
    rows: [],
    read: 0,
    tooLong: 0,
    noTrainedToken: 0,
    skipped: 0,
    shortestTooLong: Infinity,
  };
  const report = () =>
    context.onProgress({ dataset: plan.name, style: plan.style, split, rows: result.read });
  for await (const sample of samples) {
    result.read++;
    const row = await encodeSample(plan, sample, context);
    if (row === null) {
      result.skipped++;
    } else if (row.inputIds.length > context.maxLengthToken) {
      result.tooLong++;
      result.shortestTooLong = Math.min(result.shortestTooLong, row.inputIds.length);
    } else if (row.trainedTokens === 0) {
      result.noTrainedToken++;
    } else {
      result.rows.push(row);
    }
    if (await context.pacer.breathe()) report();
  }
  report();
  return result;
}

async function encodeSample(
  plan: DatasetPlan,
  sample: Sample,
  context: ReadContext,
): Promise<EncodedRow | null> {
  const messages = await sampleToChat(plan, sample);
  if (messages === null) return null;
  try {
    const { inputIds, labels } = encodeChat(context.tokenizer, messages, context.chat);
    // The first label is never used: no token comes before it to predict it from.
    const trainedTokens = labels.subarray(1).reduce((count, label) => count + (label === -100 ? 0 : 1), 0);
    return { inputIds, labels, trainedTokens, learningStyle: plan.style, source: plan.name };
  } catch (cause) {
    if (!AdaptiveTrainerError.isInstance(cause)) throw cause;
    throw new AdaptiveTrainerError(
      cause.code,
      `Dataset "${plan.name}" (${plan.path}), ${sample.where}: ${cause.message}`,
      { details: { ...cause.details, dataset: plan.name, row: sample.index, where: sample.where }, cause },
    );
  }
}
