/**
 * Seconds of a step with an adapter on every projection, over those of all weights trained, in turns in one process.
 *
 *   npm run bench:lora [-- --size 28m|135m] [--tokens 1024] [--rank 8] [--precision fp32|bf16] [--note TEXT]
 */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { loadAddon } from '../../src/engine/load/load-addon.js';
import { adaptiveState } from '../../src/loss/adaptive-state.js';
import { CausalLM } from '../../src/model/causal-lm.js';
import { microBatch } from '../../src/trainer/batches/micro-batch.js';
import { appendMeasured } from '../step/append-results.js';
import { benchModel, type ModelSize } from '../step/bench-model.js';
import { quantile } from '../step/quantile.js';

const { values } = parseArgs({
  options: {
    size: { type: 'string', default: '28m' },
    tokens: { type: 'string', default: '1024' },
    rank: { type: 'string', default: '8' },
    precision: { type: 'string', default: 'fp32' },
    rounds: { type: 'string', default: '5' },
    note: { type: 'string', default: '' },
  },
});
const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const { folder, parameters } = await benchModel(join(root, 'build', 'bench-model'), values.size as ModelSize);
const threads = await loadAddon().setThreads({ threads: 2 });
const computeType = values.precision === 'bf16' ? 'bfloat16' : 'float32';
const optimizer = {
  name: 'adamw',
  beta1: 0.9,
  beta2: 0.999,
  eps: 1e-8,
  weightDecay: 0,
  momentum: 0,
  seed: 0,
};
const adapters = {
  'all weights': undefined,
  LoRA: { loraDropout: 0 },
  'LoRA with dropout': { loraDropout: 0.05 },
};
const contenders = await Promise.all(
  Object.entries(adapters).map(async ([name, more]) => {
    const adapter = more && { r: Number(values.rank), targetModules: 'all-linear' as const, ...more };
    const model = await CausalLM.fromPretrained(folder, { ...(adapter && { adapter }) });
    await model.configure(computeType, false);
    await model.call((native) => native.createOptimizer({ ...optimizer, name: 'adamw' }));
    return { name, model, seconds: [] as number[], gradNorm: NaN };
  }),
);
const length = Math.floor(Number(values.tokens) / 4);
const rows = Array.from({ length: 4 }, (_, row) => {
  const inputIds = Array.from({ length }, (_, i) => 3 + ((row * 7919 + i * 31) % 40_000));
  return { inputIds, labels: inputIds, learningStyle: 'both' as const };
});
for (let round = 0; round <= Number(values.rounds); round++) {
  for (const contender of contenders) {
    const started = performance.now();
    const dropout = { seed: 1, step: round, microBatch: 0 };
    const loss = { loss: 'ce' as const, topK: 1, confidence: 0, scale: 1, state: adaptiveState() };
    await contender.model.call((native) => native.trainMicroBatch({ ...microBatch(rows), ...loss, dropout }));
    const { gradNorm } = await contender.model.call((native) =>
      native.optimizerStep({ learningRate: 1e-4, maxGradNorm: 1, pull: 0 }),
    );
    contender.gradNorm = gradNorm;
    if (round > 0) contender.seconds.push((performance.now() - started) / 1000);
  }
}
const whole = quantile(contenders[0]!.seconds, 0.5);
for (const { name, seconds, gradNorm } of contenders) {
  const p50 = quantile(seconds, 0.5);
  console.log(
    `${name.padEnd(20)} ${p50.toFixed(3)} s   ${(p50 / whole).toFixed(2)} of all weights   |grad| ${gradNorm.toFixed(4)}`,
  );
}
await appendMeasured(
  contenders.map(({ name, seconds, gradNorm }) => ({
    ...{ what: `step of ${name}`, seconds, gradNorm, parameters, tokens: 4 * length, threads },
    ...{ rows: `4 rows of ${length}`, loss: 'ce', dtype: computeType, note: values.note },
  })),
);
process.exit();
