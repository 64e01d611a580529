import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CausalLM } from '../../src/model/causal-lm.js';
import { largestDifference, relativeToLargest } from '../helpers/differences.js';
import { numbers, readSafetensors } from '../helpers/read-safetensors.js';

const fixtures = new URL('../fixtures/', import.meta.url).pathname;
// `models` and `extra/models` were made by transformers 5.18 in float32 with eager attention.
const folders = ['models', 'extra/models'].flatMap((group) =>
  readdirSync(join(fixtures, group)).map((name) => ({ name, dir: join(fixtures, group, name) })),
);

interface Expected {
  lengths: number[];
  loss: number;
  trainLosses: number[];
  gradNorms: number[];
  optimizer: { lr: number; betas: [number, number]; eps: number; weightDecay: number; maxGradNorm: number };
}

function load(dir: string) {
  const expected = JSON.parse(readFileSync(join(dir, 'expected.json'), 'utf8')) as Expected;
  const arrays = readSafetensors(join(dir, 'expected.safetensors'));
  const ids = Int32Array.from(numbers(arrays['inputIds']!));
  let start = 0;
  const rows = expected.lengths.map((length) => ids.slice(start, (start += length)));
  return { expected, arrays, rows };
}

describe.each(folders)('CausalLM on $name', ({ dir }) => {
  it('gives the logits of transformers, packed in one call or one by one', async () => {
    const { arrays, rows } = load(dir);
    const model = await CausalLM.fromPretrained(dir);
    const packed = await model.logits(rows);
    expect(packed.shape).toEqual(arrays['logits']!.shape);
    expect(largestDifference(packed.data, numbers(arrays['logits']!))).toBeLessThan(2e-5);
    const single: number[] = [];
    for (const row of rows) single.push(...(await model.logits([row])).data);
    expect(largestDifference(single, numbers(arrays['logits']!))).toBeLessThan(2e-5);
    model.dispose();
  });

  it.each([false, true])(
    'gives every gradient of transformers (checkpointing: %s)',
    async (checkpointing) => {
      const { expected, arrays, rows } = load(dir);
      const model = await CausalLM.fromPretrained(dir);
      await model.configure('float32', checkpointing);
      const { loss, gradients } = await model.lossAndGradients(rows);
      expect(Math.abs(loss - expected.loss)).toBeLessThan(1e-5);
      const names = Object.keys(arrays).filter((key) => key.startsWith('grad.'));
      expect(Object.keys(gradients).sort()).toEqual(names.map((name) => name.slice(5)).sort());
      for (const name of names) {
        const { data, shape } = gradients[name.slice(5)]!;
        expect(shape).toEqual(arrays[name]!.shape);
        expect(relativeToLargest(data, numbers(arrays[name]!)), name).toBeLessThan(1e-4);
      }
      model.dispose();
    },
  );

  it('follows the losses and gradient norms of five AdamW steps', async () => {
    const { expected, rows } = load(dir);
    const { lr, betas, eps, weightDecay, maxGradNorm } = expected.optimizer;
    const model = await CausalLM.fromPretrained(dir);
    const cuSeqlens = Int32Array.from([0, ...expected.lengths]);
    for (let i = 1; i < cuSeqlens.length; i++) cuSeqlens[i]! += cuSeqlens[i - 1]!;
    const inputIds = Int32Array.from(rows.flatMap((row) => [...row]));
    const state = {
      alpha: 1,
      beta: 1,
      alphaMoment1: 0,
      alphaMoment2: 0,
      betaMoment1: 0,
      betaMoment2: 0,
      step: 0,
    };
    const batch = { inputIds, cuSeqlens, labels: inputIds, styles: new Uint8Array(rows.length) };
    const request = { ...batch, loss: 'ce' as const, confidence: 0, topK: 1, scale: 1, state };
    await model.native.createOptimizer({
      ...{ name: 'adamw', beta1: betas[0], beta2: betas[1], eps, weightDecay, momentum: 0, seed: 0 },
    });
    const losses: number[] = [];
    const norms: number[] = [];
    for (const _ of expected.gradNorms) {
      losses.push((await model.native.trainMicroBatch(request)).loss);
      norms.push((await model.native.optimizerStep({ learningRate: lr, maxGradNorm })).gradNorm);
    }
    losses.push((await model.native.evaluate(request)).loss);
    expect(largestDifference(losses, expected.trainLosses)).toBeLessThan(1e-4);
    expect(relativeToLargest(norms, expected.gradNorms)).toBeLessThan(1e-4);
    model.dispose();
  });
});
