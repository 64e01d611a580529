import { mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { jsonLimits } from '../../src/common/bounded-json.js';
import { CausalLM } from '../../src/model/causal-lm.js';
import { Tokenizer } from '../../src/tokenizer/tokenizer.js';
import { tempDir } from '../helpers/temp-dir.js';
import { tinyConfig, writeTinyModel } from '../helpers/tiny-model.js';

const nested = (levels: number) => `{"a":${'['.repeat(levels)}${']'.repeat(levels)}}`;
const seed = fileURLToPath(new URL('../../examples/seed-lm', import.meta.url));

/** A file of so many bytes, all but none of them on the disk. */
function hugeFile(path: string, bytes: number): void {
  writeFileSync(path, '{');
  truncateSync(path, bytes);
}

/** A safetensors file with this header and no tensors. */
function withHeader(path: string, header: string): void {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(Buffer.byteLength(header)));
  writeFileSync(path, Buffer.concat([length, Buffer.from(header)]));
}

/** A folder with a tokenizer whose tokenizer.json was changed. */
function tokenizerWith(change: (json: Record<string, unknown>) => unknown): string {
  const dir = tempDir();
  mkdirSync(dir, { recursive: true });
  const json = JSON.parse(readFileSync(join(seed, 'tokenizer.json'), 'utf8')) as Record<string, unknown>;
  const changed = change(json);
  const text = typeof changed === 'string' ? changed : JSON.stringify(changed);
  writeFileSync(join(dir, 'tokenizer.json'), text);
  writeFileSync(join(dir, 'tokenizer_config.json'), readFileSync(join(seed, 'tokenizer_config.json')));
  return dir;
}

afterEach(() => void vi.unstubAllEnvs());

describe('a small file of a model that asks for much', () => {
  it.each([
    ['config.json that is nested deeply', nested(200), 'MODEL_CONFIG_INVALID', /at most 100 levels/],
    [
      'config.json of too many values',
      `{"a":[${'0,'.repeat(jsonLimits.values)}0]}`,
      'MODEL_CONFIG_INVALID',
      /values/,
    ],
  ])('%s is refused', async (_, text, code, message) => {
    const dir = writeTinyModel(tempDir());
    writeFileSync(join(dir, 'config.json'), text);
    await expect(CausalLM.fromPretrained(dir)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });

  // What the system lends without being written is not taken: a description that lies is found out by the weights.
  it.each([
    ['vocab_size', 2_000_000_000],
    ['hidden_size', 2_000_000_000],
    ['intermediate_size', 2_000_000_000],
    ['vocab_size', 1e15],
    ['hidden_size', 1e15],
    ['num_hidden_layers', 1e9],
  ])('a config.json with %s %d is refused, over weights and for new ones', async (key, value) => {
    const dir = writeTinyModel(tempDir());
    const sized = { head_dim: 4, ...tinyConfig, [key]: value };
    writeFileSync(join(dir, 'config.json'), JSON.stringify(sized));
    const message = expect.stringMatching(new RegExp(`${key}|of another shape`));
    const code = expect.stringMatching(/^(MODEL_CONFIG_INVALID|OUT_OF_MEMORY|WEIGHTS_MISMATCH)$/);
    await expect(CausalLM.fromPretrained(dir)).rejects.toMatchObject({ code, message });
    await expect(CausalLM.fromConfig(dir)).rejects.toMatchObject({
      code: expect.stringMatching(/^(MODEL_CONFIG_INVALID|OUT_OF_MEMORY)$/),
      message: expect.stringMatching(/config\.json|vocab_size/),
    });
  });

  it('a file that is too large is refused before it is read', async () => {
    const dir = writeTinyModel(tempDir());
    hugeFile(join(dir, 'config.json'), 2 ** 33);
    const message = expect.stringMatching(/at most 268,435,456 bytes in .*config\.json, found 8,589,934,592/);
    await expect(CausalLM.fromPretrained(dir)).rejects.toMatchObject({
      code: 'MODEL_CONFIG_INVALID',
      message,
    });
    for (const name of ['tokenizer.json', 'tokenizer_config.json', 'chat_template.jinja']) {
      const folder = tokenizerWith((json) => json);
      hugeFile(join(folder, name), 2 ** 33);
      await expect(Tokenizer.fromPretrained(folder)).rejects.toMatchObject({
        code: 'TOKENIZER_INVALID',
        message: expect.stringMatching(/bytes in .*found 8,589,934,592.*ADAPTIVE_TRAINER_JSON_LIMITS=32/),
      });
    }
  });

  it.each([
    ['nested deeply', () => nested(200), /levels/],
    [
      'with an added token of a huge id',
      (json: Record<string, unknown>) => ({
        ...json,
        added_tokens: [{ id: 2_000_000_000, content: '<x>', special: true }],
      }),
      /at most 4,194,304 ids of tokens .*found 2,000,000,001/,
    ],
    [
      'with a token of a huge id',
      (json: Record<string, unknown>) => ({
        ...json,
        model: { ...(json['model'] as object), vocab: { a: 1e12 } },
      }),
      /ids of tokens/,
    ],
    [
      'with ids that are none',
      (json: Record<string, unknown>) => ({
        ...json,
        model: { ...(json['model'] as object), vocab: { a: -1 } },
      }),
      /whole numbers/,
    ],
  ])('a tokenizer.json %s is refused', async (_, change, message) => {
    await expect(Tokenizer.fromPretrained(tokenizerWith(change))).rejects.toMatchObject({
      code: 'TOKENIZER_INVALID',
      message: expect.stringMatching(message),
    });
  });

  it('an index with too many shards, and a header that is nested deeply', async () => {
    const dir = writeTinyModel(tempDir());
    withHeader(join(dir, 'model.safetensors'), nested(200));
    await expect(CausalLM.fromPretrained(dir)).rejects.toMatchObject({
      code: 'SAFETENSORS_INVALID',
      message: expect.stringMatching(/levels/),
    });
    const sharded = tempDir();
    mkdirSync(sharded, { recursive: true });
    writeFileSync(join(sharded, 'config.json'), JSON.stringify(tinyConfig));
    const map = Object.fromEntries(Array.from({ length: 10_001 }, (_, i) => [`t${i}`, `${i}.safetensors`]));
    writeFileSync(join(sharded, 'model.safetensors.index.json'), JSON.stringify({ weight_map: map }));
    await expect(CausalLM.fromPretrained(sharded)).rejects.toMatchObject({
      code: 'SAFETENSORS_INVALID',
      message: expect.stringMatching(/at most 10,000 shards .*found 10,001.*ADAPTIVE_TRAINER_JSON_LIMITS=2/),
    });
    // The advice works: what is missing is told then.
    vi.stubEnv('ADAPTIVE_TRAINER_JSON_LIMITS', '2');
    await expect(CausalLM.fromPretrained(sharded)).rejects.toMatchObject({ code: 'MODEL_NOT_FOUND' });
  });
});
