// str.isspace of Python. JavaScript's trim takes U+FEFF too, and leaves U+001C to U+001F and U+0085.
const space = '\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';
const leading = new RegExp(`^[${space}]+`, 'u');
const isSpace = new RegExp(`[${space}]`, 'u');

export type Side = 'strip' | 'lstrip' | 'rstrip';

/** Python's `text.strip(characters)`, `lstrip` and `rstrip`; without characters, white space as Python has it. */
export function pythonStrip(side: Side, text: string, characters?: string | null): string {
  if (characters === undefined || characters === null) {
    const left = side === 'rstrip' ? text : text.replace(leading, '');
    return side === 'lstrip' ? left : fromRight(left, (character) => isSpace.test(character));
  }
  const unwanted = new Set(characters);
  const isUnwanted = (character: string) => unwanted.has(character);
  const left = side === 'rstrip' ? text : fromLeft(text, isUnwanted);
  return side === 'lstrip' ? left : fromRight(left, isUnwanted);
}

function fromLeft(text: string, isUnwanted: (character: string) => boolean): string {
  let at = 0;
  for (const character of text) {
    if (!isUnwanted(character)) break;
    at += character.length;
  }
  return text.slice(at);
}

/** By hand: a regular expression anchored at the end looks at every run of spaces in the text. */
function fromRight(text: string, isUnwanted: (character: string) => boolean): string {
  let end = text.length;
  while (end > 0) {
    const isPair = end > 1 && (text.codePointAt(end - 2) ?? 0) > 0xffff;
    const from = end - (isPair ? 2 : 1);
    if (!isUnwanted(text.slice(from, end))) break;
    end = from;
  }
  return text.slice(0, end);
}
