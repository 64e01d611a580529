import { describe, expect, test } from 'vitest';
import { leanEncoder } from '../../src/tokenizer/encode/lean-encoder.js';
import { PrecompiledCharsmap } from '../../src/tokenizer/encode/precompiled-charsmap.js';
import { Tokenizer } from '../../src/tokenizer/tokenizer.js';
import { copySeed, readJson } from './open-tokenizer.js';

interface Constructed {
  name: string;
  tokenizer: Record<string, unknown>;
  cases: { text: string; ids: number[]; decoded: string }[];
}

const all = await readJson<Constructed[]>('test/fixtures/tokenizers/constructed.json');

// What the library cannot run is refused by name; nothing is run otherwise than Python does.
const refused: Record<string, RegExp> = {
  'byte level, subword prefix': /ignores model\.continuing_subword_prefix "@"/,
  'added tokens': /ignores single_word of the added token "x y"/,
  'added tokens in normalised text': /ignores single_word of the added token "AB"/,
  'split isolated inverted': /ignores pre_tokenizer\.pretokenizers\[0\]\.invert/,
  'split merged_with_previous inverted': /ignores pre_tokenizer\.pretokenizers\[0\]\.invert/,
  'split merged_with_next inverted': /ignores pre_tokenizer\.pretokenizers\[0\]\.invert/,
  'split contiguous inverted': /ignores pre_tokenizer\.pretokenizers\[0\]\.invert/,
  'pre-tokenizer scripts': /UnicodeScripts/,
  'pre-tokenizer delimiter': /CharDelimiterSplit/,
  'normalizer nmt': /Nmt/,
  'word level': /ignores model\.type "WordLevel"/,
};

describe('small tokenizers, beside what Python’s tokenizers make of them', () => {
  test.each(all.map((one) => [one.name, one] as const))('%s', (name, { tokenizer, cases }) => {
    const reason = refused[name];
    if (reason !== undefined) {
      expect(() => leanEncoder(tokenizer, {})).toThrow(reason);
      return;
    }
    const encoder = leanEncoder(tokenizer, {});
    for (const { text, ids, decoded } of cases) {
      expect([text, encoder.encode(text, { add_special_tokens: false }).ids]).toEqual([text, ids]);
      // The library decodes no empty list; Tokenizer.decode does.
      if (ids.length === 0) continue;
      const options = { skip_special_tokens: false, clean_up_tokenization_spaces: false };
      expect([text, encoder.decode(ids, options)]).toEqual([text, decoded]);
    }
  });

  test('every part is there, and few are refused', () => {
    expect(all.length).toBeGreaterThan(50);
    expect(Object.keys(refused).every((name) => all.some((one) => one.name === name))).toBe(true);
  });
});

test('a tokenizer that would be run otherwise than in Python is refused with its file', async () => {
  const { tokenizer } = all.find(({ name }) => name === 'byte level, subword prefix')!;
  await expect(
    Tokenizer.fromPretrained(await copySeed({ 'tokenizer.json': JSON.stringify(tokenizer) })),
  ).rejects.toThrow(
    expect.objectContaining({
      code: 'TOKENIZER_INVALID',
      message: expect.stringMatching(
        /tokenizer\.json .*ignores model\.continuing_subword_prefix.*not supported/s,
      ),
    }),
  );
});

test.each(['', 'AAAA', '/////w=='])('%j is no character map', (base64) => {
  expect(() => new PrecompiledCharsmap(base64)).toThrow(/cut off/);
});
