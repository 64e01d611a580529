import type { ParsedConfig } from '../../config/schema/parsed-config.js';
import { AdaptiveTrainer } from '../../trainer/adaptive-trainer.js';
import type { CausalLM } from '../../model/causal-lm.js';
import { countParameters, type ParameterCounts } from './count-parameters.js';
import { openTrial } from './open-trial.js';
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
const measuredSteps = 4;
/** Texts that forgetting is measured on: src/trainer/retention. */
const textTokens = 150 * 64;

/**
 * Trains one layer of the model's own shape, in the run's own precision, on micro-batches of the run's size and twice that, or
 * less where that would take long; the rest is computed from the operations of the whole model.
 */
export async function measureSpeed(config: ParsedConfig, plan: TrainingPlan): Promise<Speed> {
  const { counts, decoder, memoryInput } = plan;
  const args = config.trainingConfig;
  const tokens = tokensOf(config, plan);
  const trial = await openTrial(config, plan);
  try {
    const recomputed = recomputedShare(args.gradientCheckpointing, plan.memory.keptBlocks);
    // The one block of the trial is, or is not.
    const isRecomputed = recomputed >= 0.5;
    const own = operations(countParameters(trial), { recomputed: Number(isRecomputed), shareAbove: 1 });
    const head = (vocabSize: number) => 2 * decoder.hiddenSize * vocabSize;
    const ofTrial = own.step + 3 * tokens.labelledShare * head(trial.vocabSize);
    const most = Math.max(32, Math.floor(mostOperations / ofTrial / 2));
    const measured = Math.max(16, Math.min(Math.round(tokens.perMicroBatch), most, 1024));
    const of = { labelledShare: tokens.labelledShare, isRecomputed };
    const [one, two] = [
      await secondsOf(trial, config, { ...of, tokens: measured }),
      await secondsOf(trial, config, { ...of, tokens: 2 * measured }),
    ];
    const perToken = Math.max((two - one) / measured, two / (2 * measured) / 2);
    const fixed = Math.max(0, one - perToken * measured);
    const rate = ofTrial / perToken;
    const { blocksBelow = 0 } = memoryInput.freezing ?? {};
    const shareAbove = 1 - blocksBelow / decoder.layers.length;
    const whole = operations(counts, { recomputed, shareAbove });
    const attention = 2 * decoder.layers.length * decoder.heads * decoder.headDim * tokens.length;
    const step =
      whole.step +
      attention * (whole.step / whole.forward) +
      3 * tokens.labelledShare * head(decoder.vocabSize);
    const optimizer = (fixed * counts.trainable) / Math.max(1, trial.trainableCount);
    const retained = memoryInput.retainedTokens ? 1.25 : 1; // the base goes over them, too
    const forward = whole.forward + attention;
    const evaluation =
      tokens.evaluated * (forward + tokens.labelledShare * head(decoder.vocabSize)) +
      // The base's logits are made beside the model's.
      (plan.measuresForgetting ? textTokens * (forward + 2 * head(decoder.vocabSize)) : 0);
    return {
      secondsPerStep: (tokens.perStep * step * retained) / rate + optimizer,
      evaluating: (plan.evaluations * evaluation) / rate,
      operationsPerSecond: rate,
    };
  } finally {
    trial.dispose();
  }
}

function tokensOf({ trainingConfig: args }: ParsedConfig, { data, run }: TrainingPlan) {
  const { report, train } = data;
  const perEpoch = report.reduce((sum, { tokens }) => sum + tokens, 0);
  const trained = report.reduce((sum, { trainedTokens }) => sum + trainedTokens, 0);
  const perStep = perEpoch / (run.stepsPerEpoch ?? 1) + (args.retention?.tokensPerStep ?? 0);
  return {
    perStep,
    perMicroBatch: perStep / args.gradientAccumulationSteps,
    labelledShare: trained / Math.max(1, perEpoch),
    /** Of a row. */
    length: perEpoch / Math.max(1, train.length),
    /** Of an evaluation; held-out rows are as long as the others. */
    evaluated: report.reduce((sum, one) => sum + (one.eval * one.tokens) / Math.max(1, one.train), 0),
  };
}

/** Operations of a token in the blocks: forward alone, and of a step. */
function operations(
  { perToken, trainedPerToken }: ParameterCounts,
  { recomputed, shareAbove }: { recomputed: number; shareAbove: number },
): { forward: number; step: number } {
  const forward = 2 * perToken;
  // Again where blocks are recomputed, and for the inputs' gradients, both down to the lowest block that is trained; and for the weights'.
  const back = shareAbove * forward * (1 + recomputed) + 2 * trainedPerToken;
  return { forward, step: forward + back };
}

/** Of the blocks. */
function recomputedShare(
  setting: boolean | 'auto',
  { kept, all }: { kept: number; all: number } = { kept: 0, all: 1 },
): number {
  return setting === 'auto' ? 1 - kept / all : Number(setting);
}

/** The quickest of a few steps on one row of so many tokens: others on the machine only make it slower. */
async function secondsOf(
  model: CausalLM,
  { trainingConfig, adaptiveLossConfig }: ParsedConfig,
  { tokens, labelledShare, isRecomputed }: { tokens: number; labelledShare: number; isRecomputed: boolean },
): Promise<number> {
  const inputIds = Array.from({ length: tokens }, (_, i) => (i * 31) % model.vocabSize);
  const first = Math.floor(tokens * (1 - labelledShare));
  const labels = inputIds.map((id, i) => (i < first ? -100 : id));
  let seconds = Infinity;
  const { precision, fp16, bf16, optimizer, learningRate } = trainingConfig;
  const trainer = new AdaptiveTrainer({
    model,
    trainDataset: Array.from({ length: measuredSteps }, () => ({
      ...{ inputIds, labels, learningStyle: 'both' as const },
    })),
    args: {
      ...{ precision: precision ?? undefined, fp16, bf16, optimizer, learningRate },
      gradientCheckpointing: isRecomputed,
      ...{ batchSize: 1, gradientAccumulationSteps: 1, maxSteps: measuredSteps, warmupSteps: 0 },
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
