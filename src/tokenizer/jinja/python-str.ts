import type { Budget } from './budget.js';
import { concat, isText, plain, respelled, type Text } from './tagged-text.js';
import { notSupported, TemplateError } from './template-error.js';
import {
  Dict,
  DictView,
  isNumeric,
  Markup,
  Namespace,
  Range,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from './values.js';

/** Python's `str(value)`: what printing a value writes. */
export function pythonStr(value: Value, budget: Budget): Text {
  if (isText(value)) return value;
  if (value instanceof Undefined) return '';
  if (value instanceof Markup) return value.text;
  return pythonRepr(value, budget);
}

/** Python's `repr(value)`. */
export function pythonRepr(value: Value, budget: Budget): Text {
  budget.step();
  if (value === null) return 'None';
  if (isText(value)) return respelled(value, reprOfString(plain(value)));
  if (isNumeric(value)) return numberText(value);
  return budget.nested(() => {
    const all = (items: readonly Value[]) =>
      joined(
        items.map((item) => pythonRepr(item, budget)),
        budget,
      );
    const pairs = (entries: readonly (readonly [Value | Text, Value])[]) =>
      joined(
        entries.map(([key, of]) => concat([pythonRepr(key, budget), ': ', pythonRepr(of, budget)])),
        budget,
      );
    if (Array.isArray(value)) return concat(['[', all(value), ']']);
    if (value instanceof Tuple) return concat(['(', all(value.items), value.items.length === 1 ? ',)' : ')']);
    if (value instanceof Dict) return concat(['{', pairs(value.entries()), '}']);
    if (value instanceof DictView) return concat([`${typeName(value)}([`, all(value.items()), '])']);
    if (value instanceof Undefined) return 'Undefined';
    if (value instanceof Namespace) return concat(['<Namespace {', pairs([...value.values]), '}>']);
    if (value instanceof Range) {
      const { start, stop, step } = value;
      return `range(${start}, ${stop}${step === 1n ? '' : `, ${step}`})`;
    }
    if (value instanceof Markup) return concat(['Markup(', pythonRepr(value.text, budget), ')']);
    throw notSupported(`the text of a ${typeName(value)}, which in Python names a place in memory,`);
  });
}

function joined(parts: Text[], budget: Budget): Text {
  budget.text(parts.reduce((sum, part) => sum + plain(part).length, 0));
  return concat(parts.flatMap((part, index) => (index === 0 ? [part] : [', ', part])));
}

/** The text of an int, float or bool. */
export function numberText(value: boolean | bigint | number): string {
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  return typeof value === 'bigint' ? String(value) : floatText(value);
}

/** Python's repr of a float: the shortest digits that give it back, with an exponent from 1e16 and below 1e-4. */
export function floatText(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf';
  const [mantissa = '', power = ''] = value.toExponential().split('e');
  const exponent = Number(power);
  const sign = value < 0 || Object.is(value, -0) ? '-' : '';
  const digits = mantissa.replace(/[-.]/g, '');
  if (exponent < -4 || exponent >= 16) {
    const rest = digits.length > 1 ? `.${digits.slice(1)}` : '';
    return `${sign}${digits[0]}${rest}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
  }
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`;
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, '0');
  return `${sign}${whole}.${digits.slice(exponent + 1) || '0'}`;
}

// str.isprintable: neither a separator other than the space nor a control, format, surrogate, private or unassigned one.
const unprintable = /[\p{C}\p{Z}]/u;
const named: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\\': '\\\\' };

export const isPrintable = (character: string) => character === ' ' || !unprintable.test(character);

function reprOfString(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  let written = '';
  for (const character of text) {
    if (character === quote) written += `\\${quote}`;
    else if (named[character] !== undefined) written += named[character];
    else written += isPrintable(character) ? character : escaped(character.codePointAt(0)!);
  }
  return `${quote}${written}${quote}`;
}

function escaped(code: number): string {
  const hex = code.toString(16);
  if (code <= 0xff) return `\\x${hex.padStart(2, '0')}`;
  return code <= 0xffff ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`;
}

/** The text of an argument that must be a string. */
export function expectText(value: Value | undefined, what: string): Text {
  if (isText(value)) return value;
  if (value instanceof Undefined) throw value.error();
  throw new TemplateError('TypeError', `${what} must be str, not ${typeName(value ?? null)}`);
}
