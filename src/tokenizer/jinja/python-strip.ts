import { cut, plain, type Text } from './tagged-text.js';

// str.isspace of Python. JavaScript's trim takes U+FEFF too, and leaves U+001C to U+001F and U+0085.
const space = /[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/u; // eslint-disable-line no-control-regex

export const isPythonSpace = (character: string) => space.test(character);

export type Side = 'strip' | 'lstrip' | 'rstrip';

/** Python's `text.strip(characters)`, `lstrip` and `rstrip`; without characters, white space as Python has it. */
export function pythonStrip<T extends Text>(side: Side, text: T, characters?: string | null): T {
  const unwanted = typeof characters === 'string' ? new Set(characters) : undefined;
  const isUnwanted = (character: string) => unwanted?.has(character) ?? isPythonSpace(character);
  const whole = plain(text);
  const start = side === 'rstrip' ? 0 : startOf(whole, isUnwanted);
  return cut(text, start, side === 'lstrip' ? whole.length : endOf(whole, start, isUnwanted)) as T;
}

function startOf(text: string, isUnwanted: (character: string) => boolean): number {
  let at = 0;
  for (const character of text) {
    if (!isUnwanted(character)) break;
    at += character.length;
  }
  return at;
}

/** By hand: a regular expression anchored at the end looks at every run of spaces in the text. */
function endOf(text: string, start: number, isUnwanted: (character: string) => boolean): number {
  let end = text.length;
  while (end > start) {
    const isPair = end > 1 && (text.codePointAt(end - 2) ?? 0) > 0xffff;
    const from = end - (isPair ? 2 : 1);
    if (!isUnwanted(text.slice(from, end))) break;
    end = from;
  }
  return end;
}
