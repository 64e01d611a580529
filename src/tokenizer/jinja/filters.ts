import type { Budget } from './budget.js';
import { filter, type Args, type Filter, type FilterContext } from './filter.js';
import { escaped } from './markup.js';
import { itemAt, iterate, length, negate } from './operators.js';
import { jsonOptions, pythonJson } from './python-json.js';
import { expectText, pythonStr } from './python-str.js';
import { pythonStrip } from './python-strip.js';
import { listFilters } from './list-filters.js';
import { capitalized, centered, joinTexts, replaced, wholeNumber } from './string-methods.js';
import { codePointLength, concat, cut, isText, plain, respelled, type Text } from './tagged-text.js';
import { notSupported, TemplateError, typeError } from './template-error.js';
import {
  Dict,
  Generator,
  isNumeric,
  known,
  Markup,
  truthy,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from './values.js';

/** A filter of text that leaves text from `safe` or `escape` what it is. */
const onText = (
  name: string,
  parameters: string[],
  run: (text: Text, args: Args) => Text,
): [string, Filter] =>
  filter(name, parameters, (value, args, { budget }) =>
    value instanceof Markup ? new Markup(run(value.text, args)) : run(pythonStr(value, budget), args),
  );

const respell = (name: string, change: (text: string) => string) =>
  onText(name, [], (text) => respelled(text, change(plain(text))));

const lengthFilter = (name: string) =>
  filter(name, [], (value, _, { budget }) => BigInt(length(value, budget)));

const defaultFilter = (name: string) =>
  filter(name, ['default_value?', 'boolean?'], (value, [otherwise = '', boolean = false]) =>
    value instanceof Undefined || (truthy(boolean) && !truthy(value)) ? otherwise : value,
  );

const escapeFilter = (name: string) =>
  filter(name, [], (value, _, { budget }) => new Markup(escaped(value, budget)));

/** Python's `soft_str`: markup stays what it is. */
function soft(value: Value, budget: Budget): Text {
  if (value instanceof Markup) throw notSupported('a filter of text from safe or escape');
  return pythonStr(value, budget);
}

/** The filters of jinja2; `tojson` is that of transformers. */
export const filters: ReadonlyMap<string, Filter> = new Map<string, Filter>([
  ...listFilters,
  lengthFilter('length'),
  lengthFilter('count'),
  defaultFilter('default'),
  defaultFilter('d'),
  escapeFilter('escape'),
  escapeFilter('e'),
  filter('safe', [], (value, _, { budget }) =>
    value instanceof Markup ? value : new Markup(pythonStr(value, budget)),
  ),
  respell('upper', (text) => text.toUpperCase()),
  respell('lower', (text) => text.toLowerCase()),
  respell('capitalize', capitalized),
  respell('title', (text) =>
    text
      .split(/([-\s({[<]+)/u)
      .map((part) => ([...part][0] ?? '').toUpperCase() + [...part].slice(1).join('').toLowerCase())
      .join(''),
  ),
  onText('string', [], (text) => text),
  onText('trim', ['chars?'], (text, [chars = null]) =>
    pythonStrip('strip', text, chars === null ? null : plain(expectText(chars, 'strip arg'))),
  ),
  filter('replace', ['old', 'new', 'count?'], (value, [old, by, count = null], { budget }) =>
    replaced(pythonStr(value, budget), pythonStr(old!, budget), pythonStr(by!, budget), count ?? -1n, budget),
  ),
  filter('center', ['width?'], (value, [width = 80n], { budget }) => {
    const text = soft(value, budget);
    const wide = wholeNumber(width);
    budget.text(wide);
    const missing = Math.max(0, wide - codePointLength(text));
    const left = missing === 0 ? 0 : centered(missing, wide);
    return concat([' '.repeat(left), text, ' '.repeat(missing - left)]);
  }),
  filter(
    'indent',
    ['width?', 'first?', 'blank?'],
    (value, [width = 4n, first = false, blank = false], { budget }) =>
      indented(value, width, truthy(first), truthy(blank), budget),
  ),
  filter('wordcount', [], (value, _, { budget }) =>
    BigInt((plain(soft(value, budget)).match(/[\p{L}\p{N}_]+/gu) ?? []).length),
  ),
  filter('truncate', ['length?', 'killwords?', 'end?', 'leeway?'], truncated),
  filter('abs', [], (value) => {
    if (value instanceof Undefined) throw value.error();
    if (!isNumeric(value)) throw typeError(`bad operand type for abs(): '${typeName(value)}'`);
    const number = typeof value === 'boolean' ? BigInt(value) : value;
    return number < 0 || Object.is(number, -0) ? negate(number, 'negative') : number;
  }),
  filter('int', ['default?', 'base?'], (value, [otherwise = 0n, base = 10n]) =>
    toInt(value, otherwise, base),
  ),
  filter('float', ['default?'], (value, [otherwise = 0]) => toFloat(value, otherwise)),
  filter('round', ['precision?', 'method?'], (value, [precision = 0n, method = 'common']) =>
    rounded(value, wholeNumber(precision, true), plain(expectText(method, 'round method'))),
  ),
  filter('tojson', ['ensure_ascii?', 'indent?', 'separators?', 'sort_keys?'], (value, args, { budget }) => {
    const [ensureAscii = false, indent = null, separators = null, sortKeys = false] = args;
    return pythonJson(value, jsonOptions(truthy(ensureAscii), indent, separators, truthy(sortKeys)), budget);
  }),
  filter('items', [], (value) => {
    if (value instanceof Undefined) return new Generator([]);
    if (!(value instanceof Dict)) throw typeError('Can only get item pairs from a mapping.');
    return new Generator(value.entries().map((entry) => new Tuple([...entry])));
  }),
  filter('first', [], (value, _, { budget }) => {
    if (value instanceof Generator) return known(value.next(), 'No first item, sequence was empty.');
    return known(iterate(value, budget)[0], 'No first item, sequence was empty.');
  }),
  filter('last', [], (value, _, { budget }) => {
    if (value instanceof Generator) throw typeError(`'${typeName(value)}' object is not reversible`);
    if (isText(value)) return known(itemAt(value, -1n, budget), 'No last item, sequence was empty.');
    return known(iterate(value, budget).at(-1), 'No last item, sequence was empty.');
  }),
]);

export const unsupportedFilters = new Set(
  'filesizeformat forceescape pprint random striptags urlencode urlize wordwrap xmlattr'.split(' '),
);

function indented(value: Value, width: Value, first: boolean, blank: boolean, budget: Budget): Text {
  const text = soft(value, budget);
  const by = isText(width) ? width : ' '.repeat(Math.min(10_000, wholeNumber(width)));
  const lines = plain(text).replace(/\r\n|[\v\f\r\x1c-\x1e\x85\u2028\u2029]/g, '\n'); // eslint-disable-line no-control-regex
  const whole = respelled(text, `${lines}\n`);
  const cutLines: Text[] = [];
  for (let at = 0; at < plain(whole).length;) {
    const end = plain(whole).indexOf('\n', at);
    cutLines.push(cut(whole, at, end));
    at = end + 1;
  }
  if (blank) {
    const all = joinTexts(concat(['\n', by]), cutLines, budget);
    return first ? concat([by, all]) : all;
  }
  const parts = cutLines.map((line, index) => (index > 0 && plain(line) !== '' ? concat([by, line]) : line));
  const joined = joinTexts('\n', parts, budget);
  return first ? concat([by, joined]) : joined;
}

function truncated(value: Value, args: Args, { budget }: FilterContext): Value {
  const [limit = 255n, killwords = false, end = '...', leeway = 5n] = args;
  const text = soft(value, budget);
  const mark = expectText(end, 'truncate end');
  const most = wholeNumber(limit);
  if (codePointLength(text) <= most + wholeNumber(leeway ?? 5n)) return text;
  if (most < codePointLength(mark))
    throw new TemplateError('ValueError', 'truncate: length is less than that of end');
  const kept = [...plain(text)].slice(0, most - codePointLength(mark)).join('');
  if (truthy(killwords)) return concat([cut(text, 0, kept.length), mark]);
  const space = kept.lastIndexOf(' ');
  return concat([cut(text, 0, space < 0 ? kept.length : space), mark]);
}

function toInt(value: Value, otherwise: Value, base: Value): Value {
  if (value instanceof Undefined) return otherwise;
  if (typeof value === 'bigint' || typeof value === 'boolean') return BigInt(value);
  if (typeof value === 'number') return Number.isFinite(value) ? BigInt(Math.trunc(value)) : otherwise;
  if (!isText(value)) return otherwise;
  if (base !== 10n) throw notSupported('int with another base');
  const digits = pythonStrip('strip', plain(value));
  if (/^[-+]?\d+(?:_\d+)*$/.test(digits) && digits.length < 4300)
    return BigInt(digits.replaceAll('_', '').replace('+', ''));
  const float = readFloat(digits);
  return float !== undefined && Number.isFinite(float) ? BigInt(Math.trunc(float)) : otherwise;
}

function toFloat(value: Value, otherwise: Value): Value {
  if (isNumeric(value)) return Number(value);
  return (isText(value) ? readFloat(pythonStrip('strip', plain(value))) : undefined) ?? otherwise;
}

function readFloat(text: string): number | undefined {
  const special = /^([-+]?)(inf|infinity|nan)$/i.exec(text);
  if (special !== null)
    return special[2]!.toLowerCase() === 'nan' ? NaN : special[1] === '-' ? -Infinity : Infinity;
  const isNumber = /^[-+]?(?:\d+(?:_\d+)*\.?(?:\d+(?:_\d+)*)?|\.\d+(?:_\d+)*)(?:e[-+]?\d+)?$/i.test(text);
  return isNumber ? Number(text.replaceAll('_', '')) : undefined;
}

/** Half to even on the exact binary value for `common`, as Python's round does. */
function rounded(value: Value, precision: number, method: string): Value {
  if (value instanceof Undefined) throw value.error();
  if (!isNumeric(value)) throw typeError(`type ${typeName(value)} doesn't define __round__ method`);
  if (!['common', 'ceil', 'floor'].includes(method)) throw notSupported(`the method ${method} of round`);
  if (Math.abs(precision) > 100) throw notSupported('round to more than 100 digits');
  if (method === 'common') {
    if (typeof value !== 'number')
      return precision >= 0 ? BigInt(value) : roundInt(BigInt(value), -precision);
    if (precision < 0) return Number(roundInt(BigInt(Math.trunc(value)), -precision));
    return Number.isFinite(value) && Math.abs(value) < 2 ** 53 ? roundFloat(value, precision) : value;
  }
  const scale = 10 ** precision;
  return Math[method as 'ceil' | 'floor'](Number(value) * scale) / scale;
}

function roundFloat(value: number, precision: number): number {
  const digits = value.toFixed(precision);
  // toFixed rounds the exact value, but takes an exact half away from zero.
  const exact = value.toFixed(Math.min(100, precision + 30)).replace(/0+$/, '');
  const isTie = exact.endsWith('5') && exact.length - exact.indexOf('.') - 1 === precision + 1;
  if (!isTie || Number(digits.at(-1)) % 2 === 0) return Number(digits);
  const nearer = BigInt(digits.replace('.', '')) - (value > 0 ? 1n : -1n);
  return Number(`${nearer}e-${precision}`);
}

function roundInt(value: bigint, digits: number): bigint {
  const unit = 10n ** BigInt(digits);
  const down = value - (((value % unit) + unit) % unit);
  const twice = (value - down) * 2n;
  const isUp = twice > unit || (twice === unit && (down / unit) % 2n !== 0n);
  return isUp ? down + unit : down;
}
