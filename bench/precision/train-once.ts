/**
 * `tsx train-once.ts <model> <args as JSON> <tokens>`: a few steps on one row, and what the run said it computes in. Started by
 * precision.bench.ts, which lowers the instruction sets of the process.
 */
import { loadAddon } from '../../src/engine/load/load-addon.js';
import { AdaptiveTrainer, CausalLM } from '../../src/index.js';

const [folder, args, tokens] = process.argv.slice(2) as [string, string, string];
const model = await CausalLM.fromPretrained(folder);
const row = (seed: number) => {
  const inputIds = Array.from({ length: Number(tokens) }, (_, i) => 3 + ((seed + i * 31) % 40_000));
  return { inputIds, labels: inputIds, learningStyle: 'both' as const };
};
const seen = { dtype: '', warnings: [] as string[], seconds: [] as number[], gradNorm: 0, loss: 0 };
const trainer = new AdaptiveTrainer({
  model,
  trainDataset: Array.from({ length: 5 }, (_, i) => row(i * 977)),
  args: {
    ...{ batchSize: 1, gradientAccumulationSteps: 1, warmupSteps: 0, optimizer: 'adamw', shuffle: false },
    ...{ numEpochs: 1, evalStrategy: 'no', saveStrategy: 'no', threads: 2 },
    ...(JSON.parse(args) as object),
  },
  adaptiveLoss: { loss: 'ce' },
  callbacks: [
    {
      onStart: ({ dtype }) => void (seen.dtype = dtype),
      onWarning: ({ code }) => void (code.includes('COMPUTES') && seen.warnings.push(code)),
      onStepEnd({ step, secondsPerStep, gradNorm, loss }) {
        if (step > 1) seen.seconds.push(secondsPerStep);
        seen.gradNorm = gradNorm;
        seen.loss = loss;
      },
    },
  ],
});
await trainer.train();
const { cpuCapability, bfloat16Instructions } = loadAddon();
const instructions = `${cpuCapability}${bfloat16Instructions ? ' and bfloat16' : ''}`;
console.log(JSON.stringify({ ...seen, instructions }));
process.exit();
