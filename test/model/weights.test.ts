import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CausalLM } from '../../src/model/causal-lm.js';
import { largestDifference } from '../helpers/differences.js';
import { numbers, readSafetensors } from '../helpers/read-safetensors.js';
import { headerOf, safetensorsBytes, writeSafetensors } from '../helpers/write-safetensors.js';

const models = new URL('../fixtures/models/', import.meta.url).pathname;
const rows = [
  [5, 6, 7, 8],
  [9, 3],
];
let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'adaptive-weights-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

type Tensors = Record<string, { data: Float32Array; shape: number[] }>;

/** A copy of a fixture with other tensors; undefined where `change` wrote them itself. */
function withTensors(family: string, change: (tensors: Tensors) => Tensors | undefined): void {
  cpSync(join(models, family, 'config.json'), join(dir, 'config.json'));
  const read = readSafetensors(join(models, family, 'model.safetensors'));
  const tensors = Object.fromEntries(
    Object.entries(read).map(([name, tensor]) => [
      name,
      { data: Float32Array.from(numbers(tensor)), shape: tensor.shape },
    ]),
  );
  const changed = change(tensors);
  if (changed !== undefined) writeSafetensors(join(dir, 'model.safetensors'), changed);
}

async function logitsOf(folder: string): Promise<Float32Array> {
  const model = await CausalLM.fromPretrained(folder);
  const { data } = await model.logits(rows);
  model.dispose();
  return data;
}

describe('a head that config.json ties to the embedding', () => {
  const embedding = 'model.embed_tokens.weight';

  it('may be stored as a copy of it', async () => {
    withTensors('llama-3.2', (all) => ({ ...all, 'lm_head.weight': all[embedding]! }));
    expect(await logitsOf(dir)).toEqual(await logitsOf(join(models, 'llama-3.2')));
    const model = await CausalLM.fromPretrained(dir);
    expect(model.parameters.map(({ name }) => name)).not.toContain('lm_head.weight');
    model.dispose();
  });

  it('may be stored as a copy of it in another type', async () => {
    // Values that bfloat16 holds, which is the upper half of float32.
    const rounded = (data: Float32Array) => {
      const bits = new Uint32Array(Float32Array.from(data).buffer).map((value) => value & 0xffff0000);
      return new Float32Array(bits.buffer);
    };
    const write = (head: (data: Float32Array) => Float32Array) =>
      withTensors('llama-3.2', (all) => {
        const { data, shape } = all[embedding]!;
        const same = rounded(data);
        const halves = Uint16Array.from(new Uint32Array(head(same).buffer), (value) => value >>> 16);
        const packed = { shape, data: new Float32Array(halves.buffer) };
        const tensors = { ...all, [embedding]: { shape, data: same }, 'lm_head.weight': packed };
        const header = headerOf(tensors);
        header['lm_head.weight']!.dtype = 'BF16';
        writeFileSync(join(dir, 'model.safetensors'), safetensorsBytes(tensors, header));
        return undefined;
      });
    write((data) => Float32Array.from(data));
    const model = await CausalLM.fromPretrained(dir);
    expect(model.parameters.map(({ name }) => name)).not.toContain('lm_head.weight');
    expect(model.config['tie_word_embeddings']).toBe(true);
    model.dispose();
    // One value that differs makes it a head of its own.
    write((data) => Float32Array.from(data, (value, at) => (at === 3 ? value * 2 : value)));
    const other = await CausalLM.fromPretrained(dir);
    expect(other.parameters.map(({ name }) => name)).toContain('lm_head.weight');
    other.dispose();
  });

  it('may be stored in place of it', async () => {
    withTensors('llama-3.2', ({ [embedding]: head, ...rest }) => ({ ...rest, 'lm_head.weight': head! }));
    expect(await logitsOf(dir)).toEqual(await logitsOf(join(models, 'llama-3.2')));
  });

  it('is a head of its own where it differs, and is saved as one', async () => {
    withTensors('llama-3.2', (all) => ({
      ...all,
      'lm_head.weight': { ...all[embedding]!, data: all[embedding]!.data.map((value) => 2 * value) },
    }));
    const plain = await logitsOf(join(models, 'llama-3.2'));
    const model = await CausalLM.fromPretrained(dir);
    const { data } = await model.logits(rows);
    expect(
      largestDifference(
        data,
        plain.map((value) => 2 * value),
      ),
    ).toBeLessThan(1e-5);
    await model.savePretrained(join(dir, 'saved'));
    model.dispose();
    expect(await logitsOf(join(dir, 'saved'))).toEqual(data);
  });
});

describe('a checkpoint of the base model', () => {
  it('is opened under the names of the causal model, past the masks that old ones carry', async () => {
    withTensors('gpt2', (all) => ({
      ...Object.fromEntries(Object.entries(all).map(([name, t]) => [name.replace('transformer.', ''), t])),
      'h.0.attn.bias': { data: new Float32Array(4), shape: [1, 1, 2, 2] },
    }));
    expect(await logitsOf(dir)).toEqual(await logitsOf(join(models, 'gpt2')));
  });

  it('lists every tensor that is missing, extra or of another shape', async () => {
    withTensors('gpt2', ({ 'transformer.wpe.weight': _, ...all }) => ({
      ...all,
      'transformer.h.0.extra': { data: new Float32Array(1), shape: [1] },
      'transformer.ln_f.bias': { data: new Float32Array(3), shape: [3] },
    }));
    await expect(CausalLM.fromPretrained(dir)).rejects.toMatchObject({
      code: 'WEIGHTS_MISMATCH',
      details: {
        missing: ['transformer.wpe.weight'],
        extra: ['transformer.h.0.extra'],
        misshaped: [expect.stringContaining('transformer.ln_f.bias')],
      },
    });
  });
});

describe('resizeTokenEmbeddings', () => {
  it.each(['llama', 'llama-3.2', 'gemma2', 'gpt2'])(
    'keeps the old rows of %s and starts new ones at their mean',
    async (name) => {
      const model = await CausalLM.fromPretrained(join(models, name));
      const [before, size] = [await model.logits(rows), model.vocabSize];
      await model.resizeTokenEmbeddings(size + 5);
      const after = await model.logits(rows);
      expect(after.shape).toEqual([6, size + 5]);
      const kept = Array.from({ length: 6 }, (_, t) => [
        ...after.data.subarray(t * (size + 5), t * (size + 5) + size),
      ]);
      expect(largestDifference(kept.flat(), before.data)).toBeLessThan(1e-6);
      await model.savePretrained(dir);
      model.dispose();

      const embedding = model.parameters[0]!;
      const { data, shape } = {
        data: numbers(readSafetensors(join(dir, 'model.safetensors'))[embedding.name]!),
        shape: embedding.shape,
      };
      expect(shape[0]).toBe(size + 5);
      for (let column = 0; column < shape[1]!; column++) {
        const of = (row: number) => Number(data[row * shape[1]! + column]);
        const mean = Array.from({ length: size }, (_, row) => of(row)).reduce((a, b) => a + b) / size;
        // 1e-9 of the covariance is a deviation of 3e-5 of the rows' own.
        for (let row = size; row < size + 5; row++) expect(Math.abs(of(row) - mean)).toBeLessThan(1e-4);
      }
      expect(await logitsOf(dir)).toEqual(after.data);
    },
  );

  it('makes a vocabulary smaller, and refuses once training has begun', async () => {
    const model = await CausalLM.fromPretrained(join(models, 'llama'));
    await model.resizeTokenEmbeddings(50);
    expect((await model.logits(rows)).shape).toEqual([6, 50]);
    await expect(model.logits([[60]])).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    await model.native.createOptimizer({
      name: 'adamw' as const,
      beta1: 0.9,
      beta2: 0.99,
      eps: 1e-8,
      weightDecay: 0,
      momentum: 0,
      seed: 0,
    });
    await expect(model.resizeTokenEmbeddings(60)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    model.dispose();
  });
});
