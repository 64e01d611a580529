// own-loss.ts <model> <rows.jsonl> focal|dft|eaft: any loss of the form Σ wₜ·nllₜ, from statistics of each token alone.
import {
  AdaptiveTrainer,
  CausalLM,
  DatasetMixer,
  Tokenizer,
  type TokenBatch,
  type TokenStatisticsArrays,
} from 'adaptive-trainer';

/** Lin et al. 2017: tokens that the model is sure of count little. */
class Focal extends AdaptiveTrainer {
  protected override tokenWeights({ confidence }: TokenStatisticsArrays, { labels }: TokenBatch) {
    return confidence.map((p) => (1 - p) ** 2 / labels.length);
  }
}

/** Wu et al. 2025, "On the generalization of SFT": each token by its own probability. The same as `loss: 'dft'`. */
class Dft extends AdaptiveTrainer {
  protected override tokenWeights({ confidence }: TokenStatisticsArrays, { labels }: TokenBatch) {
    return confidence.map((p) => p / labels.length);
  }
}

/** Entropy-adaptive: tokens that the model is sure of and wrong about count little. `loss: 'eaft'` takes its topK's entropy. */
class Eaft extends AdaptiveTrainer {
  protected override tokenWeights({ entropy }: TokenStatisticsArrays, { labels }: TokenBatch) {
    const most = Math.log(this.model.vocabSize);
    return entropy.map((nats) => nats / most / labels.length);
  }
}

const trainers = { focal: Focal, dft: Dft, eaft: Eaft };
const [modelDir = './model', rows = './rows.jsonl', loss = 'focal'] = process.argv.slice(2);
const Trainer = trainers[loss as keyof typeof trainers];
if (Trainer === undefined) throw new Error(`Expected ${Object.keys(trainers).join(', ')}, found ${loss}.`);

const model = await CausalLM.fromPretrained(modelDir);
const tokenizer = await Tokenizer.fromPretrained(modelDir);
const { train } = await new DatasetMixer({ tokenizer, datasetsConfig: { misc: [rows] } }).build();
const trainer = new Trainer({
  model,
  tokenizer,
  trainDataset: train,
  args: {
    batchSize: 4,
    gradientAccumulationSteps: 1,
    learningRate: 1e-3,
    warmupSteps: 0,
    numEpochs: 2,
    loggingSteps: 1,
  },
  callbacks: [{ onLog: ({ step, loss: value }) => console.log(`step ${step}: ${loss} ${value.toFixed(4)}`) }],
});
await trainer.train();
model.dispose();
