/**
 * Seconds of forward and backward, and of the optimizer's step, of a model of which each token goes through 2 of 8 experts,
 * against dense models: one of the width of 2 experts, whose work it should cost, and one of the width of all 8.
 *
 *   npm run bench:experts
 *
 * The models take turns, so that a machine that slows down slows down all. Medians and their ratios are what to read.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { adaptiveState } from '../../src/loss/adaptive-state.js';
import { CausalLM } from '../../src/model/causal-lm.js';
import { microBatch } from '../../src/trainer/batches/micro-batch.js';
import { quantile } from '../step/quantile.js';
import { random } from '../step/random.js';

const rounds = 12;
const warmup = 2;
const common = {
  vocab_size: 4096,
  hidden_size: 384,
  num_hidden_layers: 4,
  num_attention_heads: 6,
  num_key_value_heads: 3,
  max_position_embeddings: 1024,
};
const width = 512;
const models = {
  '2 of 8 experts': {
    ...common,
    model_type: 'mixtral',
    intermediate_size: width,
    num_local_experts: 8,
    num_experts_per_tok: 2,
  },
  'dense, width of 2': { ...common, model_type: 'mistral', intermediate_size: 2 * width },
  'dense, width of 8': { ...common, model_type: 'mistral', intermediate_size: 8 * width },
};

interface Contender {
  name: string;
  model: CausalLM;
  pass: number[];
  step: number[];
  gradNorms: number[];
}

async function contender(name: string, config: object): Promise<Contender> {
  const dir = await mkdtemp(join(tmpdir(), 'bench-experts-'));
  await writeFile(join(dir, 'config.json'), JSON.stringify(config));
  const model = await CausalLM.fromConfig(dir, { seed: 1 });
  await rm(dir, { recursive: true });
  await model.call((native) =>
    native.createOptimizer({
      ...{ name: 'adamw', beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0, momentum: 0, seed: 0 },
    }),
  );
  return { name, model, pass: [], step: [], gradNorms: [] };
}

function batch() {
  const uniform = random(7);
  const rows = Array.from({ length: 8 }, () => {
    const inputIds = Array.from({ length: 128 }, () => Math.floor(uniform() * common.vocab_size));
    return { inputIds, labels: [...inputIds], learningStyle: 'misc' as const };
  });
  return {
    ...microBatch(rows),
    loss: 'ce' as const,
    confidence: 0,
    topK: 1,
    scale: 1,
    state: adaptiveState(),
  };
}

async function round({ model, pass, step, gradNorms }: Contender, request: ReturnType<typeof batch>) {
  const start = performance.now();
  await model.call((native) => native.trainMicroBatch(request));
  const middle = performance.now();
  const report = await model.call((native) =>
    native.optimizerStep({ learningRate: 1e-4, maxGradNorm: 1, pull: 0 }),
  );
  pass.push(middle - start);
  step.push(performance.now() - middle);
  gradNorms.push(report.gradNorm);
}

const contenders: Contender[] = [];
for (const [name, config] of Object.entries(models)) contenders.push(await contender(name, config));
const request = batch();
for (let i = 0; i < rounds; i++) for (const one of contenders) await round(one, request);
const median = (list: readonly number[]) => quantile(list.slice(warmup), 0.5);
const base = median(contenders[1]!.pass);
console.log('model               parameters   forward+backward   ratio   optimizer   |grad| of each step');
for (const { name, model, pass, step, gradNorms } of contenders) {
  console.log(
    `${name.padEnd(20)}${`${(model.parameterCount / 1e6).toFixed(1)} M`.padStart(10)}` +
      `${`${median(pass).toFixed(0)} ms`.padStart(19)}${(median(pass) / base).toFixed(2).padStart(8)}` +
      `${`${median(step).toFixed(0)} ms`.padStart(12)}   ${gradNorms
        .slice(0, 6)
        .map((norm) => norm.toFixed(3))
        .join(' ')}`,
  );
  model.dispose();
}
