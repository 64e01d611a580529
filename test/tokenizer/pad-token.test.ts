import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Tokenizer } from '../../src/tokenizer/tokenizer.js';
import { copySeed, openTokenizer, seedDir } from './open-tokenizer.js';

/** The example tokenizer with other special tokens. */
async function withTokens(change: Record<string, unknown>): Promise<Tokenizer> {
  const config = JSON.parse(await readFile(join(seedDir, 'tokenizer_config.json'), 'utf8')) as object;
  const text = JSON.stringify({ ...config, pad_token: null, unk_token: null, ...change });
  return Tokenizer.fromPretrained(await copySeed({ 'tokenizer_config.json': text }));
}

const temp = () => mkdtemp(join(tmpdir(), 'pad-'));

describe('ensurePadToken', () => {
  test('leaves a padding token as it is', async () => {
    const tokenizer = await withTokens({ pad_token: '<|im_end|>' });
    const id = tokenizer.tokenToId('<|im_end|>');
    expect(tokenizer.ensurePadToken()).toEqual({ id, isAdded: false });
    expect(tokenizer.padTokenId).toBe(id);
  });

  test('takes the unknown token', async () => {
    const tokenizer = await withTokens({ unk_token: '<|im_start|>' });
    const id = tokenizer.tokenToId('<|im_start|>');
    expect(tokenizer.ensurePadToken()).toEqual({ id, isAdded: false });
    const dir = await temp();
    await tokenizer.savePretrained(dir);
    expect((await Tokenizer.fromPretrained(dir)).padTokenId).toBe(id);
  });

  test('adds <|pad|> where there is neither, and saves it', async () => {
    const tokenizer = await withTokens({});
    const [size, ids] = [tokenizer.vocabSize, tokenizer.encode('Hello <|im_end|> there')];
    expect(tokenizer.padTokenId).toBeNull();
    expect(tokenizer.ensurePadToken()).toEqual({ id: size, isAdded: true });
    expect(tokenizer.ensurePadToken()).toEqual({ id: size, isAdded: false });
    expect(tokenizer.vocabSize).toBe(size + 1);
    expect(tokenizer.encode('Hello <|im_end|> there')).toEqual(ids);
    expect(tokenizer.encode('a<|pad|>b')).toContain(size);
    const dir = await temp();
    await tokenizer.savePretrained(dir);
    const saved = await Tokenizer.fromPretrained(dir);
    expect([saved.padTokenId, saved.vocabSize]).toEqual([size, size + 1]);
    expect(saved.encode('a<|pad|>b')).toEqual(tokenizer.encode('a<|pad|>b'));
    expect(saved.renderChat([{ role: 'user', content: 'x' }])).toBe(
      tokenizer.renderChat([{ role: 'user', content: 'x' }]),
    );
  });

  test('a tokenizer made again from its recipe is the same', async () => {
    const tokenizer = await withTokens({});
    tokenizer.chatTemplate = '{{ messages[0].content }}<|pad|>';
    tokenizer.ensurePadToken();
    const again = await Tokenizer.again(structuredClone(tokenizer.recipe));
    expect(again.encode(again.renderChat([{ role: 'user', content: 'x' }]))).toEqual(
      tokenizer.encode('x<|pad|>'),
    );
    expect(again.padTokenId).toBe(tokenizer.padTokenId);
  });

  test('the real Llama 3.1, which has none', async () => {
    const { dir } = await openTokenizer('llama3_1');
    const tokenizer = await Tokenizer.fromPretrained(dir);
    expect(tokenizer.padTokenId).toBeNull();
    expect(tokenizer.ensurePadToken()).toEqual({ id: 128_256, isAdded: true });
  });
});
