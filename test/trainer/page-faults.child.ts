// Takes 9 steps on rows of one length and prints how many pages the system had to provide during each of the last five.
// `node --import tsx page-faults.child.ts <model>`
import { AdaptiveTrainer } from '../../src/trainer/adaptive-trainer.js';
import { CausalLM } from '../../src/model/causal-lm.js';

const model = await CausalLM.fromPretrained(process.argv[2] as string);
const inputIds = Array.from({ length: 512 }, (_, i) => (i * 7) % model.vocabSize);
const row = { inputIds, labels: inputIds, learningStyle: 'both' as const, source: 'all' };
let before = 0;
const trainer = new AdaptiveTrainer({
  model,
  trainDataset: Array.from({ length: 9 }, () => row),
  args: {
    batchSize: 1,
    gradientAccumulationSteps: 1,
    maxSteps: 9,
    precision: 'fp32',
    gradientCheckpointing: process.argv[3] === 'true',
    threads: 1,
    evalStrategy: 'no',
    saveStrategy: 'no',
  },
  callbacks: [
    {
      onStepEnd({ step }) {
        const { minorPageFault } = process.resourceUsage();
        if (step > 4) process.stdout.write(`${minorPageFault - before}\n`);
        before = process.resourceUsage().minorPageFault;
      },
    },
  ],
});
await trainer.train();
model.dispose();
