import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CausalLM } from '../../src/model/causal-lm.js';
import { largestDifference } from '../helpers/differences.js';
import { numbers } from '../helpers/read-safetensors.js';
import { expectGradients, expectTraining, readReference } from '../helpers/reference-model.js';

const fixtures = new URL('../fixtures/', import.meta.url).pathname;
// `models` and `extra/models` were made by transformers 5.18 in float32 with eager attention.
const folders = ['models', 'extra/models'].flatMap((group) =>
  readdirSync(join(fixtures, group)).map((name) => ({ name, dir: join(fixtures, group, name) })),
);

describe.each(folders)('CausalLM on $name', ({ dir }) => {
  it('gives the logits of transformers, packed in one call or one by one', async () => {
    const { arrays, rows } = readReference(dir);
    const model = await CausalLM.fromPretrained(dir);
    const packed = await model.logits(rows);
    expect(packed.shape).toEqual(arrays['logits']!.shape);
    expect(largestDifference(packed.data, numbers(arrays['logits']!))).toBeLessThan(2e-5);
    const single: number[] = [];
    for (const row of rows) single.push(...(await model.logits([row])).data);
    expect(largestDifference(single, numbers(arrays['logits']!))).toBeLessThan(2e-5);
    model.dispose();
  });

  it.each([false, true])('gives every gradient of transformers (checkpointing: %s)', (checkpointing) =>
    expectGradients(dir, checkpointing),
  );

  it('follows the losses and gradient norms of five AdamW steps', () => expectTraining(dir));
});
