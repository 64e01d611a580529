import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ParsedConfig } from '../../config/schema/parsed-config.js';
import { readModelConfig } from '../../model/architecture/read-model-config.js';
import { CausalLM } from '../../model/causal-lm.js';
import { AdaptiveTrainer } from '../../trainer/adaptive-trainer.js';
import { engineTypes } from '../../trainer/step/engine-types.js';
import { runPrecision } from '../../trainer/step/run-precision.js';
import { countParameters, shapesOf } from './count-parameters.js';
import type { TrainingPlan } from './training-plan.js';

/** How long a step takes on this machine. */
export interface Speed {
  secondsPerStep: number;
  /** Multiplications and additions in a second, both counted. */
  operationsPerSecond: number;
}

const smallVocabulary = 2048;
const mostOperations = 3e11; // of one measured step: seconds on a slow machine
const measuredSteps = 4;

/**
 * Trains one layer of the model's own shape, in the run's own precision, on micro-batches of the run's size and twice that, or
 * less where that would take long; the rest is computed from the operations of the whole model.
 */
export async function measureSpeed(config: ParsedConfig, plan: TrainingPlan): Promise<Speed> {
  const { data, run, counts, decoder, memoryInput } = plan;
  const { trainingConfig: args } = config;
  const tokensPerEpoch = data.report.reduce((sum, { tokens }) => sum + tokens, 0);
  const labelledShare =
    data.report.reduce((sum, { trainedTokens }) => sum + trainedTokens, 0) / Math.max(1, tokensPerEpoch);
  const tokensPerStep =
    tokensPerEpoch / (run.stepsPerEpoch ?? 1) + (args.retention === null ? 0 : args.retention.tokensPerStep);
  const perMicroBatch = tokensPerStep / args.gradientAccumulationSteps;
  const trial = await openTrial(config, plan);
  try {
    const isFrozen = counts.trainable < counts.all;
    const share = recomputedShare(args.gradientCheckpointing, plan.memory.keptBlocks);
    const ofTrial =
      passes(isRecomputed(share), isFrozen) * trial.projections +
      labelledShare * headOperations(decoder.hiddenSize, trial.vocabSize);
    const most = Math.max(32, Math.floor(mostOperations / ofTrial / 2));
    const tokens = Math.max(16, Math.min(Math.round(perMicroBatch), most, 1024));
    const [one, two] = [
      await secondsOf(trial.model, config, { tokens, labelledShare, share }),
      await secondsOf(trial.model, config, { tokens: 2 * tokens, labelledShare, share }),
    ];
    const perToken = Math.max((two - one) / tokens, two / (2 * tokens) / 2);
    const fixed = Math.max(0, one - perToken * tokens);
    const rate = ofTrial / perToken;
    const factor = passes(share, isFrozen);
    const length = tokensPerEpoch / Math.max(1, data.train.length);
    const attention = 2 * (factor / 2) * decoder.layers.length * decoder.heads * decoder.headDim * length;
    const ofWhole =
      factor * counts.projections +
      attention +
      labelledShare * headOperations(decoder.hiddenSize, decoder.vocabSize);
    const optimizer = (fixed * counts.trainable) / Math.max(1, trial.trainable);
    const retained = memoryInput.retainedTokens ? 1.25 : 1; // the base goes over them, too
    return {
      secondsPerStep: (tokensPerStep * ofWhole * retained) / rate + optimizer,
      operationsPerSecond: rate,
    };
  } finally {
    trial.model.dispose();
  }
}

/** Operations of a token for each weight: forward, again where it is recomputed, for the inputs' gradients, for the weights'. */
function passes(recomputed: number, isFrozen: boolean): number {
  return 2 * (1 + recomputed + 1 + (isFrozen ? 0 : 1));
}

/** Of the blocks. */
function recomputedShare(
  setting: boolean | 'auto',
  { kept, all }: { kept: number; all: number } = { kept: 0, all: 1 },
): number {
  return setting === 'auto' ? 1 - kept / all : Number(setting);
}

/** Whether the one block of the trial is: 1 or 0. */
function isRecomputed(share: number): number {
  return Math.round(share);
}

function headOperations(hidden: number, vocabulary: number): number {
  return 6 * hidden * vocabulary;
}

/** One layer of the model with new weights, behind a small vocabulary. */
async function openTrial(config: ParsedConfig, plan: TrainingPlan) {
  const { config: stored, decoder } = await readModelConfig(plan.modelDir, { ignoreDropout: true });
  const layers = decoder.layers.length;
  const shortened = Object.entries(stored).map(([key, value]) => {
    if (/^(num_hidden_layers|n_layer)$/.test(key)) return [key, 1];
    if (key === 'vocab_size') return [key, Math.min(smallVocabulary, decoder.vocabSize)];
    if (/^(pad|bos|eos)_token_id$/.test(key)) return [key, null];
    return [key, Array.isArray(value) && value.length === layers ? value.slice(0, 1) : value];
  });
  const dir = await mkdtemp(join(tmpdir(), 'adaptive-trainer-estimate-'));
  try {
    await writeFile(join(dir, 'config.json'), JSON.stringify(Object.fromEntries(shortened)));
    const precision = runPrecision(config.trainingConfig);
    const dtype =
      precision === 'fp32' || config.peftConfig === null ? 'float32' : engineTypes(precision).computeType;
    const model = await CausalLM.fromConfig(dir, { ignoreDropout: true, dtype });
    if (config.peftConfig !== null) await model.addAdapter(config.peftConfig as never);
    const { projections } = await countParameters(dir, await shapesOf(model.decoder), null);
    return { model, projections, trainable: model.trainableCount, vocabSize: model.vocabSize };
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** The quickest of a few steps on one row of so many tokens: others on the machine only make it slower. */
async function secondsOf(
  model: CausalLM,
  { trainingConfig, adaptiveLossConfig }: ParsedConfig,
  { tokens, labelledShare, share }: { tokens: number; labelledShare: number; share: number },
): Promise<number> {
  const inputIds = Array.from({ length: tokens }, (_, i) => (i * 31) % model.vocabSize);
  const first = Math.floor(tokens * (1 - labelledShare));
  const labels = inputIds.map((id, i) => (i < first ? -100 : id));
  let seconds = Infinity;
  const { precision, fp16, bf16, optimizer, learningRate } = trainingConfig;
  const gradientCheckpointing = isRecomputed(share) === 1;
  const trainer = new AdaptiveTrainer({
    model,
    trainDataset: Array.from({ length: measuredSteps }, () => ({
      ...{ inputIds, labels, learningStyle: 'both' as const },
    })),
    args: {
      ...{ precision: precision ?? undefined, fp16, bf16, gradientCheckpointing, optimizer, learningRate },
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
