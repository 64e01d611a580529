import { expect, it } from 'vitest';
import { tokenPieces } from '../../src/data/tokens/token-pieces.js';
import { openTokenizer } from '../tokenizer/open-tokenizer.js';

const texts = [
  'The sky is blue.\n\tIt is  wide.',
  'Größe 中文字 👩‍👩‍👧 ñandú 🇩🇪 end',
  '\u202Eright to left\u202C <b>bold</b>',
  'x'.repeat(50),
];

it.each(['seed', 'qwen3', 'llama3_1', 'gemma3'])(
  'gives the text of each token of %s, in full',
  async (name) => {
    const tokenizer = await openTokenizer(name);
    for (const text of texts) {
      const ids = tokenizer.encode(text);
      const pieces = tokenPieces(tokenizer, ids);
      expect(pieces.length).toBe(ids.length);
      expect(pieces.join('')).toBe(text);
      expect(pieces.join('')).not.toContain('\uFFFD');
    }
  },
);

it('gives a character that several tokens spell to the first of them', async () => {
  const tokenizer = await openTokenizer('seed');
  const ids = tokenizer.encode('a👧b');
  const pieces = tokenPieces(tokenizer, ids);
  expect(pieces.filter((piece) => piece !== '')).toEqual(['a', '👧', 'b']);
  expect(pieces.length).toBeGreaterThan(3);
  // Cut inside of a character, what is left of it is shown as it is.
  const rest = tokenPieces(tokenizer, ids.slice(2));
  expect(rest.length).toBe(ids.length - 2);
  expect(rest.at(-1)).toBe('b');
});
