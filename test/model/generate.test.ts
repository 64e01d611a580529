import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CausalLM } from '../../src/model/causal-lm.js';
import { Generation } from '../../src/model/generation/generation.js';
import { errorOf } from '../helpers/error-of.js';

const fixtures = new URL('../fixtures/', import.meta.url).pathname;
const expected = JSON.parse(readFileSync(join(fixtures, 'generate/greedy.json'), 'utf8')) as Record<
  string,
  { prompt: number[]; ids: number[]; stop?: number[] }[]
>;

/** The largest entry of the last row of logits, and how far the second is behind it. */
function choice(data: Float32Array, vocab: number): { id: number; lead: number } {
  const last = [...data.subarray(data.length - vocab)];
  const best = Math.max(...last);
  const id = last.indexOf(best);
  return { id, lead: best - Math.max(...last.filter((_, i) => i !== id)) };
}

describe.each(readdirSync(join(fixtures, 'models')).filter((name) => name in expected))(
  'CausalLM.generate on %s',
  (name) => {
    let model: CausalLM;
    beforeAll(async () => {
      model = await CausalLM.fromPretrained(join(fixtures, 'models', name));
    });
    afterAll(() => model.dispose());

    it('continues greedily as transformers does', async () => {
      for (const { prompt, ids, stop } of expected[name]!) {
        const options = { maxNewTokens: ids.length, ...(stop ? { stopTokenIds: stop } : {}) };
        expect(await model.generate(prompt, options).collect()).toEqual(ids);
      }
    });

    it('takes the largest of the full logits at each step', async () => {
      // 70 new tokens: past the first capacity of the cache.
      const ids = [5, 9, 17];
      for await (const id of model.generate([...ids], { maxNewTokens: 70, stopTokenIds: [] })) {
        const { data } = await model.logits([ids]);
        const best = choice(data, model.vocabSize);
        if (best.lead > 1e-4) expect(id).toBe(best.id);
        ids.push(id);
      }
      expect(ids).toHaveLength(73);
    });
  },
);

describe('CausalLM.generate', () => {
  let model: CausalLM;
  const prompt = [3, 1, 4];
  beforeAll(async () => {
    model = await CausalLM.fromPretrained(join(fixtures, 'models/llama'));
  });
  afterAll(() => model.dispose());

  const all = { maxNewTokens: 30, stopTokenIds: [] };

  it('gives the same when iterated over and when collected', async () => {
    const whole = await model.generate(prompt, all).collect();
    const iterated: number[] = [];
    for await (const id of model.generate(prompt, all)) iterated.push(id);
    expect(iterated).toEqual(whole);
    expect(whole).toHaveLength(30);
  });

  it('ends after a stop token, which it includes', async () => {
    const ids = await model.generate(prompt, all).collect();
    // The first token that did not occur before: stopping at an earlier copy would be right too.
    const at = ids.findIndex((id, i) => i >= 2 && ids.indexOf(id) === i);
    const stopped = await model.generate(prompt, { maxNewTokens: 30, stopTokenIds: [ids[at]!] }).collect();
    expect(stopped).toEqual(ids.slice(0, at + 1));
  });

  it('stops at the eos_token_id of the model unless told otherwise', async () => {
    expect(model.eosTokenIds).toEqual([2]);
    for (let seed = 0; seed < 40; seed++) {
      const ids = await model.generate(prompt, { maxNewTokens: 20, temperature: 5, seed }).collect();
      const end = ids.indexOf(2);
      expect(ids).toHaveLength(end < 0 ? 20 : end + 1);
    }
  });

  it('samples the same tokens from the same seed, and others from another', async () => {
    const sample = (seed: number) => model.generate(prompt, { ...all, temperature: 1, seed }).collect();
    const first = await sample(1);
    expect(await sample(1)).toEqual(first);
    expect(await sample(2)).not.toEqual(first);
    expect(await model.generate(prompt, { ...all, temperature: 1 }).collect()).toEqual(await sample(0));
  });

  it('is greedy with topK 1 or a tiny topP, at any temperature', async () => {
    const greedy = await model.generate(prompt, all).collect();
    expect(await model.generate(prompt, { ...all, temperature: 3, topK: 1, seed: 4 }).collect()).toEqual(
      greedy,
    );
    expect(await model.generate(prompt, { ...all, temperature: 0.5, topP: 1e-9, seed: 4 }).collect()).toEqual(
      greedy,
    );
  });

  it('samples only among the topK likeliest', async () => {
    const ids = [...prompt];
    for await (const id of model.generate(prompt, { ...all, temperature: 10, topK: 3, seed: 8 })) {
      const { data } = await model.logits([ids]);
      const last = data.subarray(data.length - model.vocabSize);
      expect([...last].filter((logit) => logit > last[id]! + 1e-5).length).toBeLessThan(3);
      ids.push(id);
    }
  });

  it('ends with ABORTED after the token it is at', async () => {
    const controller = new AbortController();
    const ids: number[] = [];
    const error = await errorOf(async () => {
      for await (const id of model.generate(prompt, { ...all, signal: controller.signal })) {
        ids.push(id);
        if (ids.length === 4) controller.abort(new Error('enough'));
      }
    }, 'ABORTED');
    expect(ids).toHaveLength(4);
    expect((error.cause as Error).message).toBe('enough');
    expect(await model.generate(prompt, all).collect()).toHaveLength(30);
  });

  it('can be left early', async () => {
    const whole = await model.generate(prompt, all).collect();
    for await (const id of model.generate(prompt, all)) {
      expect(id).toBe(whole[0]);
      break;
    }
    expect(await model.generate(prompt, all).collect()).toEqual(whole);
  });

  it('keeps generations that take turns apart', async () => {
    const [a, b] = [
      await model.generate([3, 1, 4], all).collect(),
      await model.generate([7, 8], all).collect(),
    ];
    const [first, second] = [model.generate([3, 1, 4], all), model.generate([7, 8], all)].map((generation) =>
      generation[Symbol.asyncIterator](),
    );
    const [ids, others]: [number[], number[]] = [[], []];
    for (let i = 0; i < 30; i++) {
      ids.push((await first!.next()).value as number);
      others.push((await second!.next()).value as number);
    }
    expect([ids, others]).toEqual([a, b]);
  });

  it('can be gone through once', async () => {
    const generation = model.generate(prompt, { maxNewTokens: 2 });
    await generation.collect();
    await errorOf(() => generation.collect(), 'INVALID_INPUT');
    await errorOf(() => generation[Symbol.asyncIterator]().next(), 'INVALID_INPUT');
  });

  it('passes through async functions, awaits and promises as it is, not begun', async () => {
    const start = async () => model.generate(prompt, all);
    const [generation] = await Promise.all([start(), Promise.resolve(model.generate(prompt, all))]);
    expect(generation).toBeInstanceOf(Generation);
    expect('then' in generation).toBe(false);
    const ids: number[] = [];
    for await (const id of generation) ids.push(id);
    expect(ids).toEqual(await model.generate(prompt, all).collect());
  });

  it('refuses prompts and options that make no sense, naming them', async () => {
    const bad: [ArrayLike<number>, object, string][] = [
      [[], {}, 'promptIds'],
      [[1.5], {}, 'promptIds'],
      [prompt, { maxNewTokens: 0 }, 'maxNewTokens'],
      [prompt, { maxNewTokens: 1.5 }, 'maxNewTokens'],
      [prompt, { maxNewTokens: undefined }, 'maxNewTokens'],
      [prompt, { temperature: -1 }, 'temperature'],
      [prompt, { temperature: NaN }, 'temperature'],
      [prompt, { temperature: 'hot' }, 'temperature'],
      [prompt, { topK: -1 }, 'topK'],
      [prompt, { topK: 2.5 }, 'topK'],
      [prompt, { topP: 0 }, 'topP'],
      [prompt, { topP: 1.01 }, 'topP'],
      [prompt, { topP: NaN }, 'topP'],
      [prompt, { seed: -1 }, 'seed'],
      [prompt, { seed: 2 ** 60 }, 'seed'],
    ];
    for (const [ids, options, name] of bad) {
      const error = await errorOf(
        () => model.generate(ids, { ...all, ...options }).collect(),
        'INVALID_INPUT',
      );
      expect(error.message).toContain(name);
    }
    for (const ids of [[199], [-1], [1, 2, 100000]]) {
      const error = await errorOf(() => model.generate(ids, all).collect(), 'INVALID_INPUT');
      expect(error.message).toContain('0 to 198');
    }
  });

  it('gives what the tokens of a bfloat16 model are, all in the vocabulary', async () => {
    const rounded = await CausalLM.fromPretrained(join(fixtures, 'models/llama'), { dtype: 'bfloat16' });
    const ids = await rounded.generate(prompt, { ...all, temperature: 1 }).collect();
    expect(ids.every((id) => id >= 0 && id < rounded.vocabSize)).toBe(true);
    rounded.dispose();
  });
});
