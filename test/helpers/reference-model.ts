import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { parseTrainerConfig } from '../../src/config/read/parse-trainer-config.js';
import { adaptiveState } from '../../src/loss/adaptive-state.js';
import { CausalLM } from '../../src/model/causal-lm.js';
import { microBatch } from '../../src/trainer/batches/micro-batch.js';
import { layerRates } from '../../src/trainer/step/layer-rates.js';
import { gradientDifference, largestDifference, relativeToLargest } from './differences.js';
import { numbers, readSafetensors } from './read-safetensors.js';

interface Expected {
  lengths: number[];
  loss: number;
  trainLosses: number[];
  gradNorms: number[];
  /** Of adapters: weight decay by the groups of the Hugging Face Trainer, and LoRA+. */
  training?: { weight_decay: number; loraplus?: { ratio: number; embedding: number } };
  optimizer: { lr: number; betas: [number, number]; eps: number; weightDecay: number; maxGradNorm: number };
}

/** What scripts/oracles wrote beside a model: figures, tensors, and the rows they are of. */
export function readReference<More = object>(dir: string) {
  const expected = JSON.parse(readFileSync(join(dir, 'expected.json'), 'utf8')) as Expected & More;
  const arrays = readSafetensors(join(dir, 'expected.safetensors'));
  const ids = Int32Array.from(numbers(arrays['inputIds']!));
  let start = 0;
  const rows = expected.lengths.map((length) => ids.slice(start, (start += length)));
  return { expected, arrays, rows };
}

/** The loss to 1e-5, and every gradient, and no other, to 1e-4 of the largest entry of its tensor. */
export async function expectGradients(dir: string, checkpointing: boolean): Promise<void> {
  const { expected, arrays, rows } = readReference(dir);
  const model = await CausalLM.fromPretrained(dir);
  await model.configure('float32', checkpointing);
  const { loss, gradients } = await model.lossAndGradients(rows);
  expect(Math.abs(loss - expected.loss)).toBeLessThan(1e-5);
  const names = Object.keys(arrays).filter((key) => key.startsWith('grad.'));
  expect(Object.keys(gradients).sort()).toEqual(names.map((name) => name.slice(5)).sort());
  for (const name of names) {
    const { data, shape } = gradients[name.slice(5)]!;
    expect(shape).toEqual(arrays[name]!.shape);
    expect(gradientDifference(data, numbers(arrays[name]!)), name).toBeLessThan(1e-4);
  }
  model.dispose();
}

/** The losses of AdamW's steps, before each and after the last, to `tolerance`, and its gradient norms to 1e-4 of the largest. */
export async function expectTraining(dir: string, tolerance = 1e-4): Promise<void> {
  const { expected, rows } = readReference(dir);
  const { lr, betas, eps, maxGradNorm } = expected.optimizer;
  const { weight_decay: weightDecay = expected.optimizer.weightDecay, loraplus } = expected.training ?? {};
  const model = await CausalLM.fromPretrained(dir);
  const batch = microBatch(
    rows.map((row) => ({ inputIds: [...row], labels: [...row], learningStyle: 'misc' })),
  );
  const request = {
    ...{ ...batch, loss: 'ce' as const, confidence: 0, topK: 1, scale: 1, state: adaptiveState() },
  };
  const plus = loraplus && { loraplusLrRatio: loraplus.ratio, loraplusLrEmbedding: loraplus.embedding };
  const { args } = parseTrainerConfig({ args: { learningRate: lr, ...plus } });
  await model.native.createOptimizer({
    ...{ name: 'adamw', beta1: betas[0], beta2: betas[1], eps, weightDecay, momentum: 0, seed: 0 },
    rates: layerRates(args, model.weightNames, model.decoder.layers.length, model.trainable),
  });
  const losses: number[] = [];
  const norms: number[] = [];
  for (const _ of expected.gradNorms) {
    losses.push((await model.native.trainMicroBatch(request)).loss);
    norms.push((await model.native.optimizerStep({ learningRate: lr, maxGradNorm, pull: 0 })).gradNorm);
  }
  losses.push((await model.native.evaluate(request)).loss);
  expect(largestDifference(losses, expected.trainLosses)).toBeLessThan(tolerance);
  expect(relativeToLargest(norms, expected.gradNorms)).toBeLessThan(1e-4);
  model.dispose();
}
