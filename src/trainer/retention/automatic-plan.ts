import type { RetentionConfig, TrainingConfig } from '../../config/schema/parsed-config.js';
import { rowLength } from '../../data/mix/row-list.js';
import type { TrainingRow } from '../../events/training-row.js';
import type { CausalLM } from '../../model/causal-lm.js';
import { labelledTokens } from '../batches/micro-batch.js';

/** What replay may add to the time of a step. */
const share = 0.1;
/** More tokens than so many times the usual number tell little more. */
const mostTimes = 8;
const rowsLookedAt = 256;

type Plan = Pick<RetentionConfig, 'weight' | 'tokensPerStep' | 'every'>;

/**
 * How much to replay so that the arithmetic of a step grows by at most a tenth: as many tokens as that buys, whole rows of them,
 * or a row every few steps where it buys less.
 * @param rows that are trained; undefined: a stream, whose steps are not known, so that the plan stays as it is
 * @param replayed rows that are replayed
 */
export function automaticPlan(
  plan: Plan,
  model: CausalLM,
  args: TrainingConfig,
  rows: readonly TrainingRow[] | undefined,
  replayed: readonly { readonly length: number }[],
): Plan {
  if (rows === undefined) return plan;
  const step = meanStep(rows, args);
  const { body, head, retained } = operations(model, args);
  const budget = (share * (step.tokens * body + step.labelled * head)) / retained;
  const length = replayed.reduce((sum, row) => sum + row.length, 0) / replayed.length;
  if (budget < length) return { ...plan, tokensPerStep: 1, every: Math.ceil(length / budget) };
  const tokens = Math.min(budget, mostTimes * plan.tokensPerStep);
  return { ...plan, tokensPerStep: Math.floor(Math.floor(tokens / length) * length), every: 1 };
}

/** Tokens of an average step. */
function meanStep(rows: readonly TrainingRow[], args: TrainingConfig): { tokens: number; labelled: number } {
  const looked = Math.min(rows.length, rowsLookedAt);
  const every = rows.length / looked;
  const sample = Array.from({ length: looked }, (_, index) => Math.floor(index * every));
  const tokens = sample.reduce((sum, row) => sum + rowLength(rows, row), 0) / looked;
  const labelled = labelledTokens(sample.map((row) => rows[row]!)) / looked;
  const perBatch = args.maxTokensPerBatch === null ? args.batchSize : args.maxTokensPerBatch / tokens;
  const perStep = Math.min(rows.length, perBatch * args.gradientAccumulationSteps);
  return { tokens: tokens * perStep, labelled: labelled * perStep };
}

/** Multiplications per token, halved: of the blocks, of the head for a labelled token, of all that a retained token takes. */
function operations(model: CausalLM, args: TrainingConfig): { body: number; head: number; retained: number } {
  const { vocabSize, hiddenSize, tiedHead } = model.decoder;
  const table = vocabSize * hiddenSize;
  const inBlocks = model.parameterCount - table * (tiedHead ? 1 : 2);
  const isAdapter = model.adapter !== undefined;
  // Forward, again where blocks are recomputed ('auto' counts as not: the plan must not depend on what is free), gradients of the inputs, and of the weights where these are trained.
  const body = inBlocks * (2 + (args.gradientCheckpointing === true ? 1 : 0) + (isAdapter ? 0 : 1));
  const head = table * (isAdapter ? 2 : 3);
  // The base's logits come on top, and with an adapter its hidden states.
  return { body, head, retained: body + head + table + (isAdapter ? inBlocks : 0) };
}
