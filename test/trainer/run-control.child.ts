// `node --import tsx run-control.child.ts <model>`: a run that waits while nothing else keeps the process, as one does whose
// dashboard nobody looks at. Prints how many steps it took.
import { AdaptiveTrainer } from '../../src/trainer/adaptive-trainer.js';
import { CausalLM } from '../../src/model/causal-lm.js';
import { plainArgs } from '../helpers/train-run.js';
import { trainingRows } from '../helpers/training-rows.js';

const model = await CausalLM.fromPretrained(process.argv[2]!);
const trainer = new AdaptiveTrainer({
  model,
  trainDataset: trainingRows(24, model.vocabSize),
  args: plainArgs,
  callbacks: [
    {
      onStepEnd({ step }, { control }) {
        if (step !== 2) return;
        control.pause();
        setTimeout(() => control.resume(), 300).unref();
      },
    },
  ],
});
const { steps } = await trainer.train();
model.dispose();
console.log(steps);
