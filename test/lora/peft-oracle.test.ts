import { describe, expect, it } from 'vitest';
import { CausalLM } from '../../src/model/causal-lm.js';
import { largestDifference, relativeToLargest } from '../helpers/differences.js';
import { numbers } from '../helpers/read-safetensors.js';
import { tempDir } from '../helpers/temp-dir.js';
import { adapters, expectedOf } from './adapter-fixtures.js';

describe.each(adapters)('the PEFT adapter $name', ({ dir }) => {
  it('gives the logits of peft, opened by its folder, put on its base, and saved again', async () => {
    const { arrays, rows, base } = expectedOf(dir);
    const wanted = numbers(arrays['logits']!);
    const model = await CausalLM.fromPretrained(dir);
    expect(largestDifference((await model.logits(rows)).data, wanted)).toBeLessThan(2e-5);
    const saved = tempDir();
    await model.savePretrained(saved);
    model.dispose();

    const other = await CausalLM.fromPretrained(base);
    const without = await other.logits(rows);
    expect(largestDifference(without.data, wanted)).toBeGreaterThan(1e-2);
    await other.loadAdapter(saved);
    expect(largestDifference((await other.logits(rows)).data, wanted)).toBeLessThan(2e-5);
    other.dispose();
  });

  it('gives the same logits once it is merged, and saved as a plain model', async () => {
    const { arrays, rows } = expectedOf(dir);
    const model = await CausalLM.fromPretrained(dir);
    await model.mergeAdapter();
    const wanted = numbers(arrays['logits']!);
    expect(largestDifference((await model.logits(rows)).data, wanted)).toBeLessThan(4e-5);
    const saved = tempDir();
    await model.savePretrained(saved);
    model.dispose();
    const plain = await CausalLM.fromPretrained(saved);
    expect(plain.adapter).toBeUndefined();
    expect(largestDifference((await plain.logits(rows)).data, wanted)).toBeLessThan(4e-5);
    plain.dispose();
  });

  it.each([false, true])(
    'gives every gradient of peft and no other (checkpointing: %s)',
    async (checkpointing) => {
      const { expected, arrays, rows } = expectedOf(dir);
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
    const { expected, rows } = expectedOf(dir);
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
