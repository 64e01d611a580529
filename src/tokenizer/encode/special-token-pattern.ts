import { escapeRegExp } from '../../common/escape-reg-exp.js';
import type { Tokenizer } from '../tokenizer.js';

const patterns = new WeakMap<Tokenizer, RegExp | null>();

/** Matches each special token of the vocabulary; null where it has none. */
export function specialTokenPattern(tokenizer: Tokenizer): RegExp | null {
  const known = patterns.get(tokenizer);
  if (known !== undefined) return known;
  const texts = [...tokenizer.specialTokenTexts]
    .filter((token) => token !== '')
    .sort((a, b) => b.length - a.length);
  const pattern = texts.length === 0 ? null : new RegExp(texts.map(escapeRegExp).join('|'), 'g');
  patterns.set(tokenizer, pattern);
  return pattern;
}
