import type { Tokenizer } from '../../tokenizer/tokenizer.js';

/**
 * The text of each token; joined they are the text of all. Where a character is spelled by several tokens, the first of them has
 * it, the others are empty. Every token is spelled as it is, special ones too.
 */
export function tokenPieces(tokenizer: Tokenizer, ids: ArrayLike<number>): string[] {
  const bytes = Array.from(ids, (id) => tokenizer.alphabet.bytes(id));
  const whole = Buffer.concat(bytes);
  let begin = 0;
  let end = 0;
  return bytes.map(({ length }) => {
    const start = begin;
    end += length;
    begin = Math.max(begin, end);
    // The rest of a character that begins here.
    while (begin > start && begin < whole.length && (whole[begin]! & 0xc0) === 0x80) begin++;
    return whole.toString('utf8', start, begin);
  });
}
