/** Everything to play with. The whole run takes 2 to 4 minutes on two cores. */
export const settings = {
  tasks: {
    categories: 12000,
    definitions: 1800,
    heldOutCategories: 500,
    heldOutDefinitions: 100,
    // Never trained on; their answers are shown. The first is asked for its meaning, the others for their kind.
    showcase: ['snowstorm', 'walrus', 'violin'],
    seed: 1,
  },
  training: {
    numEpochs: 2,
    batchSize: 32,
    gradientAccumulationSteps: 1,
    learningRate: 2e-4,
    warmupSteps: 30,
    lrSchedulerType: 'cosine',
    optimizer: 'adamw',
    // The model is so small that keeping activations costs little, and float32 on a CPU is exact.
    gradientCheckpointing: false,
    fp16: false,
    bf16: false,
    // One epoch apart is enough here; measure.ts looks closer, before and after.
    evalStrategy: 'epoch',
    saveStrategy: 'no',
    loggingSteps: 20,
    useWandb: false,
  },
  // With 25 possible answers, the right one is soon among the top 8 and no longer trained; a strict K keeps at it.
  loss: { topK: 1 },
} as const;
