import type { z } from 'zod';
import type { adaptiveLossConfigSchema } from '../../config/schema/adaptive-loss-config.js';
import type { peftConfigSchema } from '../../config/schema/peft-config.js';
import type { trainingConfigSchema } from '../../config/schema/training-config.js';

/**
 * What another value of a setting means for a run that is continued:
 *
 * - `past`: the checkpoint means nothing with it, so it is refused;
 * - `order`: it cuts the rows into batches; the run goes on at the row where it stopped, where that is known;
 * - `future`: it acts from the next step on, so it is allowed and said;
 * - `seen`: what it changes, the rows or the weights, is compared itself;
 * - `alias`: another way to write a key that is compared;
 * - `none`: it changes no number and no file of the run, or acts only where a run begins.
 */
export type Effect = 'past' | 'order' | 'future' | 'seen' | 'alias' | 'none';

type Keys<Schema extends z.ZodType> = Record<keyof z.output<Schema>, Effect>;

export const effects = {
  trainingConfig: {
    runName: 'none',
    wandbProject: 'none',
    wandbEntity: 'none',
    useWandb: 'none',
    reportTo: 'none',
    maxLengthToken: 'seen',
    mixing: 'seen',
    mixingProbabilities: 'seen',
    mixingStop: 'seen',
    chatTemplate: 'seen',
    trainOnHeader: 'seen',
    paddingSide: 'none',
    seed: 'past',
    shuffle: 'past',
    optimizer: 'past',
    batchSize: 'order',
    maxTokensPerBatch: 'order',
    gradientAccumulationSteps: 'order',
    learningRate: 'future',
    weightDecay: 'future',
    warmupSteps: 'future',
    lrSchedulerType: 'future',
    lrSchedulerKwargs: 'future',
    minLrRate: 'future',
    numEpochs: 'future',
    maxSteps: 'future',
    momentum: 'future',
    betas: 'alias',
    adamBeta1: 'future',
    adamBeta2: 'future',
    adamEpsilon: 'future',
    maxGradNorm: 'future',
    onNonFinite: 'future',
    retention: 'future',
    precision: 'future',
    fp16: 'alias',
    bf16: 'alias',
    attnImpl: 'future',
    gradientCheckpointing: 'none',
    useLigerKernel: 'none',
    ignoreDropout: 'none',
    fromScratch: 'none',
    loggingSteps: 'future',
    evalBatchSize: 'none',
    evalStrategy: 'future',
    evalSteps: 'future',
    evalOnStart: 'none',
    evalForgetting: 'none',
    inspectRows: 'none',
    saveStrategy: 'future',
    saveSteps: 'future',
    saveTotalLimit: 'future',
    loadBestModelAtEnd: 'future',
    metricForBestModel: 'future',
    greaterIsBetter: 'future',
    warmupRatio: 'alias',
    loggingFirstStep: 'none',
    evalDelay: 'future',
    saveOnlyModel: 'future',
    earlyStoppingPatience: 'future',
    earlyStoppingThreshold: 'future',
    saveDtype: 'future',
    onSaveError: 'future',
    resumeFromCheckpoint: 'none',
    overwriteOutputDir: 'none',
    device: 'future',
    threads: 'future',
    localRank: 'none',
    outputDir: 'none',
  } satisfies Keys<typeof trainingConfigSchema>,
  adaptiveLossConfig: {
    loss: 'future',
    topK: 'future',
    adaptiveLogSteps: 'future',
    maxKlDivergence: 'future',
    initialConfidence: 'future',
    finalConfidence: 'future',
    curriculumEpochs: 'future',
  } satisfies Keys<typeof adaptiveLossConfigSchema>,
  peftConfig: {
    peftType: 'past',
    taskType: 'none',
    r: 'past',
    loraAlpha: 'past',
    alpha: 'alias',
    rankPattern: 'past',
    alphaPattern: 'past',
    useRslora: 'past',
    useDora: 'past',
    bias: 'past',
    targetModules: 'seen',
    excludeModules: 'seen',
    modulesToSave: 'seen',
    layersToTransform: 'seen',
    loraDropout: 'future',
    dropout: 'alias',
    initLoraWeights: 'none',
    fanInFanOut: 'none',
    inferenceMode: 'none',
  } satisfies Keys<typeof peftConfigSchema>,
} as const satisfies Record<string, Record<string, Effect>>;
