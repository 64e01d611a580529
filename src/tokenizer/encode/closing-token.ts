import type { Tokenizer } from '../tokenizer.js';
import type { TextSpan } from './text-span.js';

const patterns = new WeakMap<Tokenizer, RegExp | null>();

// Longer than any closing: what is trained may be a whole book.
const reach = 400;

/** The last special token near the end of a part of a text, such as `<|im_end|>`; undefined where there is none. */
export function closingToken(
  tokenizer: Tokenizer,
  text: string,
  { start, end }: TextSpan,
): string | undefined {
  const pattern = specialTokenPattern(tokenizer);
  if (pattern === null) return undefined;
  return [...text.slice(Math.max(start, end - reach), end).matchAll(pattern)].at(-1)?.[0];
}

/** Matches each special token of the vocabulary; null where it has none. */
export function specialTokenPattern(tokenizer: Tokenizer): RegExp | null {
  const known = patterns.get(tokenizer);
  if (known !== undefined) return known;
  const texts = [...tokenizer.specialTokenTexts].sort((a, b) => b.length - a.length);
  const escaped = texts.map((token) => token.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  const pattern = escaped.length === 0 ? null : new RegExp(escaped.join('|'), 'g');
  patterns.set(tokenizer, pattern);
  return pattern;
}
