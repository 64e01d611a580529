/**
 * Trains a few steps in this process and prints the memory it was expected to need and the peak it had, as JSON.
 * Started by memory.bench.ts and by test/trainer/memory.test.ts: a peak belongs to a whole process.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { AdaptiveTrainer, CausalLM, type TrainingRow } from '../../src/index.js';
import type { StartEvent } from '../../src/events/training-event.js';

const { values } = parseArgs({
  options: {
    // A folder with weights, or with a config.json alone.
    model: { type: 'string', default: 'examples/seed-lm' },
    precision: { type: 'string', default: 'fp32' },
    optimizer: { type: 'string', default: 'adamw' },
    checkpointing: { type: 'boolean', default: false },
    // An adapter on every projection, in place of all weights.
    lora: { type: 'boolean', default: false },
    rank: { type: 'string', default: '8' },
    // What the base under it is kept in: nf4, fp4 or int8. Default: whole.
    bits: { type: 'string' },
    length: { type: 'string', default: '256' },
    rows: { type: 'string', default: '4' },
    steps: { type: 'string', default: '3' },
  },
});

/** The most memory this process ever held, of which Linux keeps the record. */
function peakBytes(): number {
  const found = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'));
  return Number(found?.[1] ?? NaN) * 1024;
}

const hasWeights = existsSync(join(values.model, 'model.safetensors'));
const model = await CausalLM[hasWeights ? 'fromPretrained' : 'fromConfig'](values.model, {
  ...(values.lora ? { adapter: { r: Number(values.rank), targetModules: 'all-linear' } } : {}),
  ...(values.bits === undefined ? {} : { quantization: { type: values.bits as 'nf4' } }),
  ...(values.lora && values.precision !== 'fp32' ? { dtype: 'bfloat16' } : {}),
});
const [length, count] = [Number(values.length), Number(values.rows)];
const trainDataset: TrainingRow[] = Array.from({ length: count * Number(values.steps) }, (_, row) => {
  const inputIds = Array.from({ length }, (_, i) => 10 + ((row * 7919 + i * 31) % (model.vocabSize - 10)));
  return { inputIds, labels: inputIds, learningStyle: 'both' };
});
let start: StartEvent | undefined;
const openedBytes = peakBytes();
const steps: { seconds: number; loss: number; gradNorm: number }[] = [];
let before = performance.now();
const trainer = new AdaptiveTrainer({
  model,
  trainDataset,
  args: {
    batchSize: count,
    gradientAccumulationSteps: 1,
    numEpochs: 1,
    warmupSteps: 0,
    threads: 2,
    evalStrategy: 'no',
    saveStrategy: 'no',
    useWandb: false,
    precision: values.precision as 'fp32',
    optimizer: values.optimizer as 'adamw',
    gradientCheckpointing: values.checkpointing,
  },
  callbacks: [
    {
      onStart: (event) => void (start = event),
      onStepEnd({ loss, gradNorm }) {
        const now = performance.now();
        steps.push({ seconds: (now - before) / 1000, loss, gradNorm });
        before = now;
      },
    },
  ],
});
await trainer.train();
console.log(JSON.stringify({ memory: start!.memory, openedBytes, peakBytes: peakBytes(), steps }));
process.exit(0);
