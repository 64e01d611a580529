import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CausalLM } from '../../src/model/causal-lm.js';
import { baseTexts, type BaseTextsRequest } from '../../src/model/generation/base-texts.js';
import { textStart } from '../../src/model/generation/text-start.js';
import { Tokenizer } from '../../src/tokenizer/tokenizer.js';
import { tempDir } from '../helpers/temp-dir.js';
import { tinyConfig, writeTinyModel } from '../helpers/tiny-model.js';

let model: CausalLM;
let tokenizer: Tokenizer;
const cache = tempDir();
beforeAll(async () => {
  model = await CausalLM.fromPretrained('examples/seed-lm');
  tokenizer = await Tokenizer.fromPretrained('examples/seed-lm');
});
afterAll(() => model.dispose());

const write = (request: Partial<BaseTextsRequest> = {}, of = model) =>
  baseTexts(of, tokenizer, { samples: 4, length: 12, seed: 0, cache, ...request });

test('each text has the length asked for and begins where texts begin', async () => {
  const { rows } = await write();
  expect(rows.map((row) => row.length)).toEqual([12, 12, 12, 12]);
  expect(rows.map(([first]) => first)).toEqual([0, 0, 0, 0]);
});

test('a text depends on the model, the seed and its place alone', async () => {
  const { rows, hash } = await write();
  // 70 rows take two batches.
  const more = await write({ samples: 70 });
  expect(more.rows.slice(0, 4)).toEqual(rows);
  expect(more.hash).not.toBe(hash);
  expect(new Set(more.rows.map(String)).size).toBeGreaterThan(60);
  const others = await write({ seed: 1_000_000 });
  expect(others.rows).not.toEqual(rows);
  const again = await write({ cache: tempDir() });
  expect(again).toEqual({ rows, hash, isCached: false });
});

test('the tokens are drawn from what the model predicts', async () => {
  // The mean of -log p over draws from p is the entropy of p.
  const { rows } = await write({ samples: 100, length: 40, seed: 5, cache: tempDir() });
  const { data, shape } = await model.logits(rows);
  const vocab = shape[1];
  let [nll, entropy, tokens, at] = [0, 0, 0, 0];
  for (const row of rows) {
    for (let t = 1; t < row.length; t++) {
      const logits = data.subarray((at + t - 1) * vocab, (at + t) * vocab);
      const max = logits.reduce((most, one) => Math.max(most, one), -Infinity);
      const sum = logits.reduce((total, one) => total + Math.exp(one - max), 0);
      const logP = (id: number) => logits[id]! - max - Math.log(sum);
      nll -= logP(row[t]!);
      for (let id = 0; id < vocab; id++) entropy -= Math.exp(logP(id)) * logP(id);
      tokens++;
    }
    at += row.length;
  }
  // The standard error of 3,900 draws is 0.04; a temperature of 0.9 would be off by about 0.4.
  expect(Math.abs(nll - entropy) / tokens).toBeLessThan(0.16);
});

test('what was written is kept, and written anew where the file is damaged', async () => {
  const dir = tempDir();
  const progress: string[] = [];
  const onProgress = (done: number, total: number) => void progress.push(`${done}/${total}`);
  const first = await write({ cache: dir, onProgress });
  expect(await write({ cache: dir, onProgress })).toEqual({ ...first, isCached: true });
  expect(progress).toEqual(['4/4']);

  // An adapter begins as nothing, in bfloat16 the model computes about the same.
  const adapted = await CausalLM.fromPretrained('examples/seed-lm', { dtype: 'bfloat16', adapter: { r: 2 } });
  expect((await write({ cache: dir }, adapted)).isCached).toBe(true);
  adapted.dispose();

  const [file] = readdirSync(dir);
  writeFileSync(join(dir, file!), '{"probe": [');
  expect(await write({ cache: dir })).toEqual({ ...first, isCached: false });
  expect((await write({ cache: dir })).isCached).toBe(true);
});

test('other weights have other texts, on disk or in memory', async () => {
  const dirs = [1, 2].map((seed) => writeTinyModel(tempDir(), { ...tinyConfig, eos_token_id: 2 }, seed));
  const written = await Promise.all(
    dirs.map(async (dir) => {
      const tiny = await CausalLM.fromPretrained(dir);
      const texts = await baseTexts(tiny, undefined, { samples: 2, length: 30, seed: 0, cache });
      // The weights in memory are no longer those of the folder.
      await tiny.call((native) => native.initialise({ deviation: 1, residualDeviation: 1, seed: 3 }));
      const later = await baseTexts(tiny, undefined, { samples: 2, length: 30, seed: 0, cache });
      expect(later.isCached).toBe(false);
      expect(later.hash).not.toBe(texts.hash);
      tiny.dispose();
      return texts;
    }),
  );
  expect(written[0]!.hash).not.toBe(written[1]!.hash);
});

test('aborting ends the writing', async () => {
  const controller = new AbortController();
  const onProgress = () => controller.abort();
  const writing = write({ samples: 200, cache: tempDir(), signal: controller.signal, onProgress });
  await expect(writing).rejects.toMatchObject({ code: 'ABORTED' });
});

test('texts begin with the BOS, <|endoftext|>, the start of the template or the end of a text', async () => {
  const tiny = async (config: object) => {
    const one = await CausalLM.fromPretrained(writeTinyModel(tempDir(), { ...tinyConfig, ...config }));
    one.dispose();
    return one;
  };
  const plain = await tiny({ vocab_size: 4096 });
  expect(textStart(plain, tokenizer)).toEqual([0]);
  expect(textStart(plain, undefined)).toEqual([2]);
  expect(textStart(await tiny({ bos_token_id: 1 }), tokenizer)).toEqual([1]);
  const without = Object.create(tokenizer, { tokenToId: { value: () => undefined } }) as Tokenizer;
  expect(tokenizer.decode(textStart(plain, without), { skipSpecialTokens: false })).toBe(
    '<|im_start|>user\n',
  );
  expect(() =>
    textStart(Object.create(plain, { eosTokenIds: { value: [] } }) as CausalLM, undefined),
  ).toThrow(/Expected a token that texts begin with/);
});
