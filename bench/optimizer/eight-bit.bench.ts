/**
 * How closely 8-bit AdamW follows AdamW: mean training loss of 300 steps of the quickstart's data and model, for both.
 * `tsx bench/optimizer/eight-bit.bench.ts [--steps 300]`
 */
import { parseArgs } from 'node:util';
import { wordNetTasks } from '../../examples/quickstart/wordnet.js';
import { AdaptiveTrainer, CausalLM, Tokenizer, encodeChat, renderTable } from '../../src/index.js';

const { values } = parseArgs({ options: { steps: { type: 'string', default: '300' } } });
const maxSteps = Number(values.steps);
const folder = 'examples/seed-lm';
const tokenizer = await Tokenizer.fromPretrained(folder);
const tasks = await wordNetTasks({
  categories: 4 * maxSteps,
  definitions: 4 * maxSteps,
  heldOutCategories: 1,
  heldOutDefinitions: 1,
  showcase: ['walrus'],
  seed: 1,
});
const trainDataset = [...tasks.categories.train, ...tasks.definitions.train].map(({ user, assistant }) => ({
  ...encodeChat(tokenizer, [
    { role: 'user', content: user },
    { role: 'assistant', content: assistant },
  ]),
  learningStyle: 'both' as const,
}));

async function lossesWith(optimizer: 'adamw' | 'adamw_8bit'): Promise<number[]> {
  const model = await CausalLM.fromPretrained(folder);
  const losses: number[] = [];
  const trainer = new AdaptiveTrainer({
    model,
    trainDataset,
    callbacks: [{ onStepEnd: ({ loss }) => void losses.push(loss) }],
    args: {
      optimizer,
      maxSteps,
      batchSize: 8,
      gradientAccumulationSteps: 1,
      learningRate: 2e-4,
      warmupSteps: 30,
      fp16: false,
      gradientCheckpointing: false,
      evalStrategy: 'no',
      saveStrategy: 'no',
      useWandb: false,
    },
  });
  await trainer.train();
  model.dispose();
  return losses;
}

const exact = await lossesWith('adamw');
const eightBit = await lossesWith('adamw_8bit');
const mean = (losses: number[], from: number, to: number) =>
  losses.slice(from, to).reduce((sum, loss) => sum + loss, 0) / (to - from);
const rows = [0, 1, 2].map((third) => {
  const [from, to] = [Math.floor((third * maxSteps) / 3), Math.floor(((third + 1) * maxSteps) / 3)];
  const [a, b] = [mean(exact, from, to), mean(eightBit, from, to)];
  return [`${from + 1}–${to}`, a.toFixed(4), b.toFixed(4), `${(100 * (b / a - 1)).toFixed(2)} %`];
});
console.log(renderTable(['steps', 'adamw', 'adamw_8bit', 'difference'], rows));
