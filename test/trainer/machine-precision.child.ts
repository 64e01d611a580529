// `tsx machine-precision.child.ts <model> <args of each run as JSON> [outputDir]`: trains, one run after the other, and
// prints as its last line what it saw of each.
import { loadAddon } from '../../src/engine/load/load-addon.js';
import type { WarningEvent } from '../../src/events/training-event.js';
import { CausalLM } from '../../src/model/causal-lm.js';
import { AdaptiveTrainer } from '../../src/trainer/adaptive-trainer.js';
import { plainArgs } from '../helpers/train-run.js';
import { trainingRows } from '../helpers/training-rows.js';

const [dir, args, outputDir] = process.argv.slice(2) as [string, string, string?];

async function train(own: object) {
  const model = await CausalLM.fromPretrained(dir);
  const seen = { dtype: '', losses: [] as number[], warnings: [] as WarningEvent[], code: '', message: '' };
  const trainer = new AdaptiveTrainer({
    model,
    trainDataset: trainingRows(8, model.vocabSize),
    ...(outputDir === undefined ? {} : { outputDir }),
    args: { ...plainArgs, ...own },
    callbacks: [
      {
        onStart: ({ dtype }) => void (seen.dtype = dtype),
        onStepEnd: ({ loss }) => void seen.losses.push(loss),
        onWarning: (event) => void seen.warnings.push(event),
      },
    ],
  });
  try {
    await trainer.train();
  } catch (error) {
    const { code, message } = error as { code: string; message: string };
    Object.assign(seen, { code, message });
  }
  model.dispose();
  return seen;
}

const runs = [];
for (const own of JSON.parse(args) as object[]) runs.push(await train(own));
console.log(JSON.stringify({ runs, hasInstructions: loadAddon().bfloat16Instructions }));
