import type { ParsedConfig } from '../../config/schema/parsed-config.js';
import { AdaptiveTrainer } from '../../trainer/adaptive-trainer.js';
import type { CausalLM } from '../../model/causal-lm.js';
import { countParameters, type ParameterCounts } from './count-parameters.js';
import { openTrial, type TrialSize } from './open-trial.js';
import type { TrainingPlan } from './training-plan.js';

/** How long the work of a run takes on this machine. */
export interface Speed {
  secondsPerStep: number;
  /** Of all evaluations together. */
  evaluating: number;
  /** Multiplications and additions in a second, both counted. */
  operationsPerSecond: number;
}

const mostOperations = 3e11; // of one measured step: seconds on a slow machine
const mostTokens = 1024;
const mostEmbedded = 3e7; // values
const smallVocabulary = 2048;
const measuredSteps = 4;
/** Texts that forgetting is measured on: src/trainer/retention. */
const textTokens = 150 * 64;

/**
 * Trains as much of a model of this shape as takes some seconds, the whole or some of its layers, in the run's own precision, on
 * micro-batches of the run's size and half that; the rest is computed from the operations of the whole model.
 */
export async function measureSpeed(config: ParsedConfig, plan: TrainingPlan): Promise<Speed> {
  const { counts, decoder, memoryInput } = plan;
  const args = config.trainingConfig;
  const tokens = tokensOf(config, plan);
  const recomputed = recomputedShare(args.gradientCheckpointing, plan.memory.keptBlocks);
  const { blocksBelow = 0 } = memoryInput.freezing ?? {};
  const shareAbove = 1 - blocksBelow / decoder.layers.length;
  const whole = operations(counts, decoder.layers.length, { recomputed, shareAbove });
  const size = trialSize(whole.step, plan, tokens);
  const trial = await openTrial(config, plan, size);
  try {
    // Of a single block it is all or nothing.
    const isRecomputed = recomputed >= 0.5;
    const own = operations(countParameters(trial), size.layers, {
      ...{ recomputed: Number(isRecomputed), shareAbove: 1 },
    });
    const of = { labelledShare: tokens.labelledShare, length: tokens.length, isRecomputed };
    const half = await secondsOf(trial, config, { ...of, tokens: size.tokens / 2 });
    const full = await secondsOf(trial, config, { ...of, tokens: size.tokens });
    const perToken = Math.max((full - half) / (size.tokens / 2), full / size.tokens / 2);
    const fixed = Math.max(0, full - perToken * size.tokens);
    const rate = own.withHead(trial.vocabSize, 3) / perToken;
    const optimizer = (fixed * counts.trainable) / Math.max(1, trial.trainableCount);
    const retained = memoryInput.retainedTokens ? 1.25 : 1; // the base goes over them, too
    const evaluation =
      tokens.evaluated * whole.forwardWithHead(decoder.vocabSize, 1) +
      (plan.measuresForgetting ? textTokens * forgettingOf(plan, whole) : 0);
    return {
      secondsPerStep: (tokens.perStep * whole.withHead(decoder.vocabSize, 3) * retained) / rate + optimizer,
      evaluating: (plan.evaluations * evaluation) / rate,
      operationsPerSecond: rate,
    };
  } finally {
    trial.dispose();
  }

  /** Operations of a token in the blocks, forward alone and of a step, and with the head for its share of labelled tokens. */
  function operations(
    { perToken, trainedPerToken }: ParameterCounts,
    layers: number,
    part: { recomputed: number; shareAbove: number },
  ) {
    const attention = 2 * layers * decoder.heads * decoder.headDim * tokens.length;
    const forward = 2 * perToken + attention;
    // Again where blocks are recomputed, and for the inputs' gradients, both down to the lowest block that is trained; and for the
    // weights' gradients.
    const back = part.shareAbove * forward * (1 + part.recomputed) + 2 * trainedPerToken;
    const head = (vocabSize: number) => 2 * decoder.hiddenSize * vocabSize * tokens.labelledShare;
    return {
      forward,
      step: forward + back,
      withHead: (vocabSize: number, times: number) => forward + back + times * head(vocabSize),
      forwardWithHead: (vocabSize: number, times: number) => forward + times * head(vocabSize),
    };
  }
}

/** Of a token: every one meets the head, once more for the base, whose hidden states are stored but for an adapter's. */
function forgettingOf({ adapter, decoder }: TrainingPlan, { forward }: { forward: number }): number {
  return forward * (adapter === undefined ? 1 : 2) + 4 * decoder.hiddenSize * decoder.vocabSize;
}

/** How much of the model is measured: layers, tokens of a micro-batch, and the vocabulary. */
function trialSize(
  operationsOfToken: number,
  { decoder, counts, memoryInput: { available, held } }: TrainingPlan,
  { perMicroBatch }: { perMicroBatch: number },
): TrialSize {
  const { layers, hiddenSize, vocabSize } = decoder;
  const ofLayer = operationsOfToken / layers.length;
  const wanted = 2 * Math.max(8, Math.min(Math.round(perMicroBatch / 2), mostTokens / 2));
  const tokens = 2 * Math.max(8, Math.min(wanted / 2, Math.floor(mostOperations / ofLayer / 2)));
  // Weights, gradients and an optimizer's state at their largest.
  const bytes = 20 * (counts.all / layers.length);
  const fitting = Math.floor((available + held) / 4 / bytes);
  const affordable = Math.floor(mostOperations / (tokens * ofLayer));
  const isLarge = hiddenSize * vocabSize > mostEmbedded;
  return {
    tokens,
    layers: Math.max(1, Math.min(layers.length, fitting, affordable)),
    vocabSize: isLarge ? Math.min(vocabSize, smallVocabulary) : vocabSize,
  };
}

/** Of one rank. */
function tokensOf({ trainingConfig: args }: ParsedConfig, { data, run, ranks }: TrainingPlan) {
  const { report, train } = data;
  const perEpoch = report.reduce((sum, { tokens }) => sum + tokens, 0);
  const trained = report.reduce((sum, { trainedTokens }) => sum + trainedTokens, 0);
  const perStep = (perEpoch / (run.stepsPerEpoch ?? 1) + (args.retention?.tokensPerStep ?? 0)) / ranks;
  return {
    perStep,
    perMicroBatch: perStep / args.gradientAccumulationSteps,
    labelledShare: trained / Math.max(1, perEpoch),
    /** Of a row. */
    length: perEpoch / Math.max(1, train.length),
    /** Of an evaluation; held-out rows are as long as the others. */
    evaluated: report.reduce((sum, one) => sum + (one.eval * one.tokens) / Math.max(1, one.train), 0) / ranks,
  };
}

/** Of the blocks. */
function recomputedShare(
  setting: boolean | 'auto',
  { kept, all }: { kept: number; all: number } = { kept: 0, all: 1 },
): number {
  return setting === 'auto' ? 1 - kept / all : Number(setting);
}

interface MeasuredStep {
  tokens: number;
  /** Of a row. */
  length: number;
  labelledShare: number;
  isRecomputed: boolean;
}

/** The quickest of a few steps on rows of so many tokens together: others on the machine only make it slower. */
async function secondsOf(
  model: CausalLM,
  { trainingConfig, adaptiveLossConfig }: ParsedConfig,
  { tokens, length, labelledShare, isRecomputed }: MeasuredStep,
): Promise<number> {
  const rows = Math.max(1, Math.round(tokens / length));
  const each = Math.max(2, Math.round(tokens / rows));
  const inputIds = Array.from({ length: each }, (_, i) => (i * 31) % model.vocabSize);
  const first = Math.min(each - 1, Math.floor(each * (1 - labelledShare)));
  const labels = inputIds.map((id, i) => (i < first ? -100 : id));
  let seconds = Infinity;
  const { precision, fp16, bf16, optimizer, learningRate } = trainingConfig;
  const trainer = new AdaptiveTrainer({
    model,
    trainDataset: Array.from({ length: measuredSteps * rows }, () => ({
      ...{ inputIds, labels, learningStyle: 'both' as const },
    })),
    args: {
      ...{ precision: precision ?? undefined, fp16, bf16, optimizer, learningRate },
      gradientCheckpointing: isRecomputed,
      ...{ batchSize: rows, gradientAccumulationSteps: 1, maxSteps: measuredSteps, warmupSteps: 0 },
    } as never,
    adaptiveLoss: adaptiveLossConfig,
    trackers: [
      {
        onEvent(event) {
          if (event.type === 'step' && event.step > 1) seconds = Math.min(seconds, event.secondsPerStep);
        },
        close() {},
      },
    ],
  });
  await trainer.train();
  return seconds;
}
