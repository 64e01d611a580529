/** Which trainer a configuration is for. */
export type OtherTrainer = 'axolotl' | 'TRL' | 'the Hugging Face Trainer';

const transformers = {
  ...{
    outputDir: 'trainer_output',
    batchSize: 8,
    evalBatchSize: 8,
    gradientAccumulationSteps: 1,
    numEpochs: 3,
  },
  ...{ learningRate: 5e-5, lrSchedulerType: 'linear', warmupSteps: 0, weightDecay: 0 },
  ...{ optimizer: 'adamw_torch_fused', fp16: false, gradientCheckpointing: false, loggingSteps: 500 },
  ...{ evalStrategy: 'no', saveSteps: 500, saveTotalLimit: null },
};

/** What holds there for a setting that is not given, where it is not what holds here. */
export const sourceDefaults: Readonly<Record<OtherTrainer, Readonly<Record<string, unknown>>>> = {
  'the Hugging Face Trainer': transformers,
  TRL: {
    ...{ ...transformers, learningRate: 2e-5, gradientCheckpointing: true, loggingSteps: 10 },
    maxLengthToken: 1024,
  },
  axolotl: {
    ...{ ...transformers, outputDir: './model-out', batchSize: 1, evalBatchSize: undefined, numEpochs: 1 },
    ...{ learningRate: undefined, lrSchedulerType: 'cosine', warmupSteps: undefined, maxLengthToken: 512 },
  },
};

/** Of an adapter's settings. */
export const adapterDefaults: Readonly<Record<OtherTrainer, Readonly<Record<string, unknown>>>> = {
  'the Hugging Face Trainer': {},
  TRL: { r: 16, loraAlpha: 32, loraDropout: 0.05 },
  axolotl: { loraDropout: 0 },
};
