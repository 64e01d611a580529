import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CausalLM } from '../../src/model/causal-lm.js';
import { numbers, readSafetensors } from '../helpers/read-safetensors.js';

const models = new URL('../fixtures/models/', import.meta.url).pathname;
/** Families without a golden model. */
const others = [
  ...['gemma', 'phi-tied', 'gptneox', 'stablelm-parallel', 'starcoder2', 'olmo', 'olmo3', 'cohere-qk-norm'],
  ...['cohere2', 'glm', 'glm4', 'exaone4', 'gemma3-whole'],
].map((name) => `../extra/models/${name}`);

/** Root mean square of a saved tensor. */
function deviation(data: ArrayLike<number | bigint>): number {
  let sum = 0;
  for (let i = 0; i < data.length; i++) sum += Number(data[i]) ** 2;
  return Math.sqrt(sum / data.length);
}

async function initialised(family: string, seed: number) {
  const dir = mkdtempSync(join(tmpdir(), 'adaptive-config-'));
  cpSync(join(models, family, 'config.json'), join(dir, 'config.json'));
  const model = await CausalLM.fromConfig(dir, { seed });
  const { loss } = await model.lossAndGradients([[3, 1, 4, 1, 5, 9, 2, 6]]);
  await model.savePretrained(dir);
  model.dispose();
  const tensors = readSafetensors(join(dir, 'model.safetensors'));
  rmSync(dir, { recursive: true });
  return { tensors, loss, model };
}

describe('CausalLM.fromConfig', () => {
  it.each([...readdirSync(models), ...others])('initialises %s as transformers does', async (family) => {
    const { tensors, loss, model } = await initialised(family, 3);
    const isGemma = /^(.*\/)?gemma/.test(family);
    for (const [name, tensor] of Object.entries(tensors)) {
      const data = numbers(tensor);
      if (name.endsWith('.bias')) expect(deviation(data), name).toBe(0);
      else if (tensor.shape.length === 1 || name.endsWith('norm.weight')) {
        expect(
          [...data].every((value) => value === (isGemma ? 0 : 1)),
          name,
        ).toBe(true);
      } else {
        const residual = family === 'gpt2' && name.includes('c_proj');
        const expected = residual ? 0.02 / Math.sqrt(2 * 2) : 0.02;
        expect(Math.abs(deviation(data) / expected - 1), name).toBeLessThan(
          // Of few values, more apart.
          data.length < 2000 ? 0.15 : 0.06,
        );
      }
    }
    expect(Math.abs(loss - Math.log(model.vocabSize))).toBeLessThan(0.5);
  });

  it('gives the same weights for the same seed and others for another', async () => {
    const [first, again, other] = [
      await initialised('smollm3', 1),
      await initialised('smollm3', 1),
      await initialised('smollm3', 2),
    ];
    const name = 'model.layers.0.mlp.down_proj.weight';
    expect(numbers(again.tensors[name]!)).toEqual(numbers(first.tensors[name]!));
    expect(numbers(other.tensors[name]!)).not.toEqual(numbers(first.tensors[name]!));
  });

  it('gives the padding token an embedding of zeros', async () => {
    const { tensors } = await initialised('smollm3', 1);
    const { shape } = tensors['model.embed_tokens.weight']!;
    const row = numbers(tensors['model.embed_tokens.weight']!).slice(0, shape[1]);
    expect(deviation(row as ArrayLike<number>)).toBe(0);
  });

  it('refuses a seed that is no whole number', async () => {
    await expect(CausalLM.fromConfig(join(models, 'llama'), { seed: -1 })).rejects.toThrow(/seed/);
  });
});
