/**
 * Seconds of one optimizer step (norm, clipping, update, recast) on the 28.6 M-parameter model of bench/step, for
 * each optimizer. `tsx bench/optimizer/optimizer.bench.ts [--steps 15] [--threads 2] [--optimizers adamw,adamw_8bit]`
 */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { CausalLM, renderTable } from '../../src/index.js';
import { loadAddon } from '../../src/engine/load/load-addon.js';
import { benchModel } from '../step/bench-model.js';
import { quantile } from '../step/quantile.js';

const { values } = parseArgs({
  options: {
    steps: { type: 'string', default: '15' },
    threads: { type: 'string', default: '2' },
    optimizers: { type: 'string', default: 'adamw,adamw_8bit,lion,sgd,adafactor' },
    model: { type: 'string', default: join(tmpdir(), 'adaptive-trainer-bench-model') },
  },
});

const { parameters, folder } = await benchModel(values.model, '28m');
const model = await CausalLM.fromPretrained(folder);
const threads = await loadAddon().setThreads({ threads: Number(values.threads) });
const ids = Int32Array.from({ length: 64 }, (_, i) => (i * 7919) % model.vocabSize);
const batch = {
  ...{ inputIds: ids, cuSeqlens: Int32Array.of(0, ids.length), labels: ids, styles: Uint8Array.of(3) },
  ...{ loss: 'ce' as const, crossEntropy: true, topK: 8, confidence: 0, scale: 1 },
  state: { alpha: 1, beta: 1, alphaMoment1: 0, alphaMoment2: 0, betaMoment1: 0, betaMoment2: 0, step: 0 },
};
const options = { beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0.01, momentum: 0.9, seed: 1 };

async function secondsOf(name: string): Promise<number[]> {
  await model.call((native) => native.createOptimizer({ ...options, name: name as 'adamw' }));
  const seconds: number[] = [];
  for (let step = 0; step < Number(values.steps) + 3; step++) {
    await model.call((native) => native.trainMicroBatch(batch));
    const started = performance.now();
    await model.call((native) => native.optimizerStep({ learningRate: 1e-5, maxGradNorm: 1, pull: 0 }));
    if (step >= 3) seconds.push((performance.now() - started) / 1000);
  }
  return seconds;
}

const rows: string[][] = [];
for (const name of values.optimizers.split(',')) {
  const seconds = await secondsOf(name);
  rows.push([name, ...[0.2, 0.5, 0.8].map((q) => quantile(seconds, q).toFixed(4))]);
}
console.log(
  `${(parameters / 1e6).toFixed(1)} M parameters, ${threads} threads, ${loadAddon().cpuCapability}`,
);
console.log(renderTable(['optimizer', 'p20 s', 'p50 s', 'p80 s'], rows));
model.dispose();
