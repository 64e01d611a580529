// schedule-and-callback.ts <model> <rows.jsonl> [loss to stop at]
import { AdaptiveTrainer, CausalLM, DatasetMixer, Tokenizer, type TrainerCallback } from 'adaptive-trainer';

/** One cycle: up for the first third, then down to nothing. A resumed run asks for the rate of the step that it is at. */
class OneCycle extends AdaptiveTrainer {
  protected override learningRate(step: number): number {
    const done = (step + 1) / this.progress.totalSteps;
    const highest = this.args.learningRate;
    return done < 1 / 3 ? highest * 3 * done : (highest * (1 - done) * 3) / 2;
  }
}

/** Ends the run once the loss has been low enough for `patience` steps. */
function stopBelow(loss: number, patience: number): TrainerCallback {
  let inARow = 0;
  return {
    name: 'stopBelow',
    onStepEnd(step, trainer) {
      inARow = step.loss < loss ? inARow + 1 : 0;
      console.log(`step ${step.step}: loss ${step.loss.toFixed(4)} at ${step.learningRate.toExponential(3)}`);
      if (inARow >= patience) trainer.stop();
    },
  };
}

const [modelDir = './model', rows = './rows.jsonl', target = '0'] = process.argv.slice(2);
const model = await CausalLM.fromPretrained(modelDir);
const tokenizer = await Tokenizer.fromPretrained(modelDir);
const { train } = await new DatasetMixer({ tokenizer, datasetsConfig: { attention: [rows] } }).build();
const trainer = new OneCycle({
  model,
  tokenizer,
  trainDataset: train,
  args: { batchSize: 4, gradientAccumulationSteps: 1, learningRate: 3e-3, numEpochs: 3 },
  callbacks: [stopBelow(Number(target), 2)],
});
const { steps } = await trainer.train();
console.log(`ended after ${steps} steps`);
model.dispose();
