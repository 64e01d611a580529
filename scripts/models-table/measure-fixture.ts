import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CausalLM } from '../../src/model/causal-lm.js';
import { gradientDifference, largestDifference } from '../../test/helpers/differences.js';
import { numbers, readSafetensors } from '../../test/helpers/read-safetensors.js';

export interface Measured {
  modelType: string;
  /** Largest difference of a logit. */
  logits: number;
  /** Largest difference of a gradient, relative to the largest entry of its tensor. */
  gradients: number;
  loss: number;
}

/** How far a fixture's logits, loss and gradients lie from what transformers computed. */
export async function measureFixture(dir: string): Promise<Measured> {
  const expected = JSON.parse(readFileSync(join(dir, 'expected.json'), 'utf8')) as {
    lengths: number[];
    loss: number;
  };
  const config = JSON.parse(readFileSync(join(dir, 'config.json'), 'utf8')) as { model_type: string };
  const arrays = readSafetensors(join(dir, 'expected.safetensors'));
  const ids = Int32Array.from(numbers(arrays['inputIds']!));
  let start = 0;
  const rows = expected.lengths.map((length) => ids.slice(start, (start += length)));
  const model = await CausalLM.fromPretrained(dir);
  const { data } = await model.logits(rows);
  const { loss, gradients } = await model.lossAndGradients(rows);
  model.dispose();
  const gaps = Object.entries(gradients).map(([name, { data: gradient }]) =>
    gradientDifference(gradient, numbers(arrays[`grad.${name}`]!)),
  );
  return {
    modelType: config.model_type,
    logits: largestDifference(data, numbers(arrays['logits']!)),
    gradients: Math.max(...gaps),
    loss: Math.abs(loss - expected.loss),
  };
}
