import { describe, expect, test } from 'vitest';
import { Tokenizer } from '../../src/tokenizer/tokenizer.js';
import { tokensCovering } from '../../src/tokenizer/encode/tokens-covering.js';
import { copySeed, openTokenizer } from './open-tokenizer.js';

/** Which tokens cover the one occurrence of `part` in the text: their text, joined. */
function covering(tokenizer: Tokenizer, text: string, part: string): string[] {
  const ids = tokenizer.encode(text);
  const start = text.indexOf(part);
  const mask = tokensCovering(tokenizer, text, ids, [{ start, end: start + part.length }]);
  return ids
    .filter((_, index) => mask[index] === 1)
    .map((id) => tokenizer.decode([id], { skipSpecialTokens: false }));
}

const added = (id: number, content: string, more = {}) => ({
  id,
  content,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special: true,
  ...more,
});

/** A SentencePiece tokenizer as Llama 2's: a space in front of each section, bytes for what is not in the vocabulary. */
function sentencePiece(more: Record<string, unknown> = {}): string {
  const bytes = Array.from(
    { length: 256 },
    (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`,
  );
  const pieces = ['<unk>', '<s>', '<|end|>', ...bytes, ...'▁abcH', 'Hab', '▁c'];
  return JSON.stringify({
    added_tokens: [added(0, '<unk>'), added(1, '<s>'), added(2, '<|end|>', { rstrip: true })],
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'Prepend', prepend: '▁' },
        { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
      ],
    },
    model: {
      type: 'BPE',
      unk_token: '<unk>',
      fuse_unk: true,
      byte_fallback: true,
      vocab: Object.fromEntries(pieces.map((piece, id) => [piece, id])),
      merges: ['▁ c'],
    },
    ...more,
  });
}

describe('tokens that cover a part of a text', () => {
  test.each(['seed', 'llama3_1', 'qwen3', 'gemma3'])(
    '%s: a character of several tokens takes all of them',
    async (name) => {
      const tokenizer = await openTokenizer(name);
      const ids = tokenizer.encode('a𒐫b');
      const mask = tokensCovering(tokenizer, 'a𒐫b', ids, [{ start: 1, end: 3 }]);
      if (name !== 'gemma3') expect(ids.length).toBeGreaterThan(4); // Gemma's vocabulary has the character
      expect([...mask]).toEqual(ids.map((_, index) => (index > 0 && index < ids.length - 1 ? 1 : 0)));
    },
  );

  test('a token that only touches a part counts, its neighbours do not', async () => {
    const tokenizer = await openTokenizer('llama3_1');
    expect(covering(tokenizer, 'The capital of France is Paris.', 'ance')).toEqual([' France']);
  });

  test('text that the tokenizer composes (NFC) is found in its composed form', async () => {
    const tokenizer = await openTokenizer('qwen3');
    const text = 'xx cafe\u0301 yy<|im_end|>zz';
    expect(tokenizer.encode(text)).toEqual(tokenizer.encode(text.normalize('NFC')));
    expect(covering(tokenizer, text, 'cafe\u0301').join('')).toBe(' café');
    expect(covering(tokenizer, text, 'yy<|im_end|>').join('')).toBe(' yy<|im_end|>');
    expect(covering(tokenizer, text, 'zz').join('')).toBe('zz');
    expect(covering(tokenizer, text, '\u0301').join('')).toBe(covering(tokenizer, text, 'e').join('')); // one character now
  });

  test('a literal ▁ does not pass for a space', async () => {
    const tokenizer = await openTokenizer('gemma3');
    const text = 'a▁b c';
    expect(covering(tokenizer, text, 'c').at(-1)).toContain('c');
    expect(covering(tokenizer, text, 'a')).toHaveLength(1);
  });

  test('the space SentencePiece puts before a section shifts nothing', async () => {
    const tokenizer = await Tokenizer.fromPretrained(await copySeed({ 'tokenizer.json': sentencePiece() }));
    expect(covering(tokenizer, '<s>Hab c<|end|>  é<|end|>', 'Hab')).toEqual(['H', 'a', 'b']);
    expect(covering(tokenizer, '<s>Hab c<|end|>  é<|end|>', ' c<|end|>')).toEqual(['▁c', '<|end|>']);
    expect(covering(tokenizer, '<s>Hab c<|end|>  é<|end|>', 'é')).toHaveLength(2);
  });

  test('unknown characters, which spell nothing, fall back to comparing encodings', async () => {
    const model = JSON.parse(sentencePiece()).model as Record<string, unknown>;
    const vocab = { '<unk>': 0, '<s>': 1, '<|end|>': 2, '▁': 3, a: 4, b: 5, c: 6 };
    const json = sentencePiece({
      model: { ...model, byte_fallback: false, vocab, merges: [] },
      normalizer: null,
    });
    const tokenizer = await Tokenizer.fromPretrained(await copySeed({ 'tokenizer.json': json }));
    expect(covering(tokenizer, '<s>aXb<|end|>c', 'b<|end|>')).toEqual(['b', '<|end|>']);
    expect(covering(tokenizer, '<s>aXb<|end|>c', 'aX')).toEqual(['a', '<unk>']);
  });
});
