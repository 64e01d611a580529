import { describe, expect, it } from 'vitest';
import { CausalLM } from '../../src/model/causal-lm.js';
import { largestDifference } from '../helpers/differences.js';
import { numbers } from '../helpers/read-safetensors.js';
import { expectGradients, expectTraining } from '../helpers/reference-model.js';
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
    expect(largestDifference((await model.logits(rows)).data, wanted)).toBeLessThan(2e-5);
    const saved = tempDir();
    await model.savePretrained(saved);
    model.dispose();
    const plain = await CausalLM.fromPretrained(saved);
    expect(plain.adapter).toBeUndefined();
    expect(largestDifference((await plain.logits(rows)).data, wanted)).toBeLessThan(2e-5);
    plain.dispose();
  });

  it.each([false, true])('gives every gradient of peft and no other (checkpointing: %s)', (checkpointing) =>
    expectGradients(dir, checkpointing),
  );

  it('follows the losses and gradient norms of five AdamW steps', () => expectTraining(dir, 2e-5));
});
