/** Everything to play with. The whole run takes 2 to 4 minutes on two cores. */
export const settings = {
  tasks: {
    categories: 9000,
    definitions: 1500,
    heldOutCategories: 500,
    heldOutDefinitions: 100,
    // Never trained on; their answers are shown. The first is asked for its meaning, the others for their kind.
    showcase: ['snowstorm', 'violinist', 'apple tree'],
    seed: 1,
  },
  training: {
    numEpochs: 2,
    batchSize: 32,
    gradientAccumulationSteps: 1,
    // High, since the model is held to what it knew.
    learningRate: 1e-3,
    // 8, since the adaptive loss weighs several times as much as cross-entropy (docs/learning.md).
    retention: { samples: 500, weight: 8 },
    warmupSteps: 30,
    lrSchedulerType: 'cosine',
    optimizer: 'adamw',
    // The model is so small that keeping activations costs little, and float32 on a CPU is exact.
    gradientCheckpointing: false,
    fp16: false,
    bf16: false,
    // One epoch apart is enough here; measure.ts looks closer, before and after.
    evalStrategy: 'epoch',
    evalOnStart: true,
    evalForgetting: true,
    saveStrategy: 'no',
    loggingSteps: 20,
    useWandb: false,
  },
  // Of 25 possible answers, the right one is soon among the first 8 and then no longer trained; docs/learning.md has more.
  loss: { topK: 1 },
} as const;
