import { bindArguments, type Given } from './bind-arguments.js';
import type { Budget } from './budget.js';
import { iterate, slice } from './operators.js';
import { expectText, isPrintable, pythonRepr, pythonStr } from './python-str.js';
import { isPythonSpace, pythonStrip, type Side } from './python-strip.js';
import {
  codePointLength,
  codePointOffsets,
  concat,
  cut,
  isText,
  plain,
  respelled,
  type Text,
} from './tagged-text.js';
import { notSupported, TemplateError, typeError } from './template-error.js';
import { Tuple, typeName, Undefined, type Value } from './values.js';

type Method = (text: Text, given: Given, budget: Budget) => Value;
type Args = (Value | undefined)[];

/** A method with named parameters; see `bindArguments`. */
function method(
  name: string,
  parameters: string[],
  run: (text: Text, args: Args, budget: Budget) => Value,
): [string, Method] {
  return [name, (text, given, budget) => run(text, bindArguments(name, parameters, given), budget)];
}

const respell = (name: string, change: (text: string) => string) =>
  method(name, [], (text) => respelled(text, change(plain(text))));

const strip = (side: Side) =>
  method(side, ['chars?'], (text, [chars = null]) =>
    pythonStrip(side, text, chars === null ? null : plain(expectText(chars, `${side} arg`))),
  );

/** `true` where the text is not empty and each of its characters passes. */
const all = (name: string, test: (character: string) => boolean) =>
  method(name, [], (text) => plain(text) !== '' && [...plain(text)].every(test));

const find = (name: string, isLast: boolean, mustBeThere: boolean) =>
  method(name, ['sub', 'start?', 'end?'], (text, [sub, start, end], budget) => {
    if (start !== undefined || end !== undefined) throw notSupported(`${name}() with a start or an end`);
    budget.read(plain(text).length);
    const wanted = plain(expectText(sub, `${name}() argument`));
    const unit = isLast ? plain(text).lastIndexOf(wanted) : plain(text).indexOf(wanted);
    if (unit < 0 && mustBeThere) throw new TemplateError('ValueError', 'substring not found');
    return BigInt(unit < 0 ? -1 : codePointLength(plain(text).slice(0, unit)));
  });

const ends = (name: 'startswith' | 'endswith') =>
  method(name, ['prefix', 'start?', 'end?'], (text, [prefix, start, end], budget) => {
    const part = start === undefined && end === undefined ? text : slice(text, [start, end], budget);
    const whole = plain(part as Text);
    const wanted = prefix instanceof Tuple ? prefix.items : [prefix!];
    return wanted.some((one) => {
      if (!isText(one) && !(one instanceof Undefined)) {
        throw typeError(`${name} first arg must be str or a tuple of str, not ${typeName(one)}`);
      }
      const fix = plain(expectText(one, `${name} first arg`));
      return name === 'startswith' ? whole.startsWith(fix) : whole.endsWith(fix);
    });
  });

const fill = (name: string, share: (missing: number, width: number) => number) =>
  method(name, ['width', 'fillchar?'], (text, [width, fillchar = ' '], budget) => {
    const wide = wholeNumber(width);
    budget.text(wide);
    const missing = Math.max(0, wide - codePointLength(text));
    const mark = plain(expectText(fillchar, 'The fill character'));
    if (codePointLength(mark) !== 1) throw typeError('The fill character must be exactly one character long');
    const left = missing === 0 ? 0 : share(missing, wide);
    return concat([mark.repeat(left), text, mark.repeat(missing - left)]);
  });

/** As many blanks on the left as `str.center` puts there. */
export const centered = (missing: number, width: number) => (missing >> 1) + (missing & width & 1);

const partition = (name: string, isLast: boolean) =>
  method(name, ['sep'], (text, [sep]) => {
    const mark = nonEmpty(sep);
    const whole = plain(text);
    const at = isLast ? whole.lastIndexOf(mark) : whole.indexOf(mark);
    if (at < 0) return new Tuple(isLast ? ['', '', text] : [text, '', '']);
    return new Tuple([cut(text, 0, at), mark, cut(text, at + mark.length, whole.length)]);
  });

const removed = (name: string, isSuffix: boolean) =>
  method(name, ['fix'], (text, [fix]) => {
    const part = plain(expectText(fix, `${name}() argument`));
    const whole = plain(text);
    if (isSuffix)
      return part !== '' && whole.endsWith(part) ? cut(text, 0, whole.length - part.length) : text;
    return whole.startsWith(part) ? cut(text, part.length, whole.length) : text;
  });

const cased = (name: string, ofCase: RegExp, other: RegExp) =>
  method(name, [], (text) => ofCase.test(plain(text)) && !other.test(plain(text)));

const splitting = (name: 'split' | 'rsplit') =>
  method(name, ['sep?', 'maxsplit?'], (text, [sep = null, maxsplit = -1n], budget) => {
    budget.text(plain(text).length);
    const limit = wholeNumber(maxsplit, true);
    const parts =
      sep === null
        ? splitSpace(text, limit, name === 'rsplit')
        : splitAt(text, nonEmpty(sep), limit, name === 'rsplit');
    budget.items(parts.length);
    return parts;
  });

export const stringMethods: ReadonlyMap<string, Method> = new Map([
  respell('upper', (text) => text.toUpperCase()),
  respell('lower', (text) => text.toLowerCase()),
  respell('casefold', (text) => text.toLowerCase().replaceAll('ß', 'ss').replaceAll('ς', 'σ')),
  respell('capitalize', capitalized),
  respell('title', titled),
  respell('swapcase', (text) => [...text].map(swapped).join('')),
  strip('strip'),
  strip('lstrip'),
  strip('rstrip'),
  splitting('split'),
  splitting('rsplit'),
  method('splitlines', ['keepends?'], (text, [keepends = false]) => splitLines(text, keepends === true)),
  method('replace', ['old', 'new', 'count?'], (text, [old, by, count = -1n], budget) =>
    replaced(
      text,
      expectText(old, 'replace() argument 1'),
      expectText(by, 'replace() argument 2'),
      count,
      budget,
    ),
  ),
  ends('startswith'),
  ends('endswith'),
  find('find', false, false),
  find('rfind', true, false),
  find('index', false, true),
  find('rindex', true, true),
  method('count', ['sub'], (text, [sub], budget) => {
    budget.text(plain(text).length);
    const wanted = plain(expectText(sub, 'count() argument'));
    return BigInt(wanted === '' ? codePointLength(text) + 1 : plain(text).split(wanted).length - 1);
  }),
  method('join', ['iterable'], (text, [items], budget) => {
    const parts = iterate(items!, budget).map((item, index) => {
      if (item instanceof Undefined)
        throw typeError(`sequence item ${index}: expected str instance, Undefined found`);
      return isText(item) ? item : expectText(item, `sequence item ${index}`);
    });
    return joinTexts(text, parts, budget);
  }),
  all('isdigit', (character) => /[\p{Nd}²³¹⁰⁴-⁹₀-₉]/u.test(character)),
  all('isdecimal', (character) => /\p{Nd}/u.test(character)),
  all('isnumeric', (character) => /\p{N}/u.test(character)),
  all('isalpha', (character) => /\p{L}/u.test(character)),
  all('isalnum', (character) => /[\p{L}\p{N}]/u.test(character)),
  all('isspace', isPythonSpace),
  method('isascii', [], (text) => [...plain(text)].every((character) => character < '\x80')),
  method('isprintable', [], (text) => [...plain(text)].every(isPrintable)),
  method('isidentifier', [], (text) => /^[\p{ID_Start}_]\p{ID_Continue}*$/u.test(plain(text))),
  cased('isupper', /\p{Lu}/u, /[\p{Ll}\p{Lt}]/u),
  cased('islower', /\p{Ll}/u, /[\p{Lu}\p{Lt}]/u),
  method('istitle', [], (text) => /\p{Lu}|\p{Ll}/u.test(plain(text)) && titled(plain(text)) === plain(text)),
  method('zfill', ['width'], (text, [width], budget) => {
    const wide = wholeNumber(width);
    budget.text(wide);
    const zeros = '0'.repeat(Math.max(0, wide - codePointLength(text)));
    const signed = /^[-+]/.test(plain(text)) ? 1 : 0;
    return concat([cut(text, 0, signed), zeros, cut(text, signed, plain(text).length)]);
  }),
  fill('center', centered),
  fill('ljust', () => 0),
  fill('rjust', (missing) => missing),
  partition('partition', false),
  partition('rpartition', true),
  removed('removeprefix', false),
  removed('removesuffix', true),
  ['format', (text, given, budget) => braceFormat(text, given, budget)],
]);

/** Further attributes that Python's str has. */
export const otherStringMethods = new Set(['encode', 'expandtabs', 'format_map', 'translate', 'maketrans']);

export function capitalized(text: string): string {
  const [first = '', ...rest] = text;
  return titleCharacter(first) + rest.join('').toLowerCase();
}

const titleCharacter = (character: string) =>
  ({ ǆ: 'ǅ', ǉ: 'ǈ', ǌ: 'ǋ', ǳ: 'ǲ', ß: 'Ss' })[character] ?? character.toUpperCase();

/** A letter after anything but a letter is a capital. */
function titled(text: string): string {
  return text.replace(/[\p{L}\p{M}]+/gu, (word) => {
    const [first = '', ...rest] = word;
    return titleCharacter(first) + rest.join('').toLowerCase();
  });
}

function swapped(character: string): string {
  const lower = character.toLowerCase();
  return lower === character ? character.toUpperCase() : lower;
}

export function wholeNumber(value: Value | undefined, mayBeNegative = false): number {
  if (value instanceof Undefined) throw value.error();
  if (typeof value !== 'bigint' && typeof value !== 'boolean') {
    throw typeError(`'${typeName(value ?? null)}' object cannot be interpreted as an integer`);
  }
  return mayBeNegative ? Number(value) : Math.max(0, Number(value));
}

function nonEmpty(value: Value | undefined): string {
  const text = plain(expectText(value, 'the separator'));
  if (text === '') throw new TemplateError('ValueError', 'empty separator');
  return text;
}

function splitAt(text: Text, mark: string, limit: number, fromRight: boolean): Text[] {
  const whole = plain(text);
  const edges: number[] = [];
  if (fromRight) {
    for (let at = whole.lastIndexOf(mark); at >= 0 && (limit < 0 || edges.length < limit);) {
      edges.unshift(at);
      at = at < mark.length ? -1 : whole.lastIndexOf(mark, at - mark.length);
    }
  } else {
    for (let at = whole.indexOf(mark); at >= 0 && (limit < 0 || edges.length < limit);) {
      edges.push(at);
      at = whole.indexOf(mark, at + mark.length);
    }
  }
  const starts = [0, ...edges.map((at) => at + mark.length)];
  return starts.map((start, index) => cut(text, start, edges[index] ?? whole.length));
}

function splitSpace(text: Text, limit: number, fromRight: boolean): Text[] {
  const whole = plain(text);
  const words: [number, number][] = [];
  for (let at = 0; at < whole.length;) {
    while (at < whole.length && isPythonSpace(whole[at]!)) at++;
    const start = at;
    while (at < whole.length && !isPythonSpace(whole[at]!)) at++;
    if (at > start) words.push([start, at]);
  }
  if (limit >= 0 && words.length > limit) {
    if (fromRight) {
      const joinedWords = words.slice(0, words.length - limit);
      if (joinedWords.length > 0) words.splice(0, joinedWords.length, [0, joinedWords.at(-1)![1]]);
    } else words.splice(limit, words.length, [words[limit]![0], whole.length]);
  }
  return words.map(([start, end]) => cut(text, start, end));
}

function splitLines(text: Text, keepEnds: boolean): Text[] {
  const lines: Text[] = [];
  let start = 0;
  // eslint-disable-next-line no-control-regex
  for (const { 0: end, index } of plain(text).matchAll(/\r\n|[\n\v\f\r\x1c-\x1e\x85\u2028\u2029]/g)) {
    lines.push(cut(text, start, keepEnds ? index + end.length : index));
    start = index + end.length;
  }
  if (start < plain(text).length) lines.push(cut(text, start, plain(text).length));
  return lines;
}

export function replaced(text: Text, old: Text, by: Text, count: Value, budget: Budget): Text {
  const limit = wholeNumber(count, true);
  const whole = plain(text);
  budget.text(whole.length);
  if (limit === 0) return text;
  let parts: Text[];
  if (plain(old) === '') {
    const offsets = codePointOffsets(whole) ?? Array.from({ length: whole.length + 1 }, (_, at) => at);
    const edges = limit < 0 ? offsets : offsets.slice(0, limit);
    budget.items(edges.length);
    parts = ['', ...edges.map((at, index) => cut(text, at, edges[index + 1] ?? whole.length))];
  } else parts = splitAt(text, plain(old), limit, false);
  if (parts.length === 1) return text;
  return joinTexts(by, parts, budget);
}

export function joinTexts(mark: Text, parts: readonly Text[], budget: Budget): Text {
  const length = parts.reduce((sum, part) => sum + plain(part).length, 0);
  budget.text(length + plain(mark).length * parts.length);
  return concat(parts.flatMap((part, index) => (index === 0 ? [part] : [mark, part])));
}

/** `'{} {name}'.format(…)`: names and positions, `!r` and `!s`; format specifications are not supported. */
function braceFormat(format: Text, { args, named }: Given, budget: Budget): Text {
  let next = 0;
  let at = 0;
  const parts: Text[] = [];
  const source = plain(format);
  for (const found of source.matchAll(/\{\{|\}\}|\{([^{}]*)\}/g)) {
    parts.push(cut(format, at, found.index));
    at = found.index + found[0].length;
    const field = found[1];
    if (field === undefined) {
      parts.push(found[0][0]!);
      continue;
    }
    const [, name = '', conversion] = /^(\w*)(?:!([rs]))?$/.exec(field) ?? [];
    if (!/^\w*(?:![rs])?$/.test(field)) throw notSupported(`the format {${field}}`);
    const value = name === '' ? args[next++] : /^\d+$/.test(name) ? args[Number(name)] : named.get(name);
    if (value === undefined) throw new TemplateError('ValueError', `format() has no argument for {${field}}`);
    parts.push(conversion === 'r' ? pythonRepr(value, budget) : pythonStr(value, budget));
  }
  parts.push(cut(format, at, source.length));
  if (/[{}]/.test(source.replace(/\{\{|\}\}|\{[^{}]*\}/g, ''))) {
    throw new TemplateError('ValueError', "a single '{' or '}' in a format string");
  }
  return concat(parts);
}
