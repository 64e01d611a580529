import type { Budget } from './budget.js';
import { comparePython, equalPython } from './compare.js';
import { joinMarkup } from './markup.js';
import { percentFormat } from './percent-format.js';
import {
  characters,
  codePointLength,
  codePointOffsets,
  concat,
  cut,
  isText,
  plain,
  type Text,
} from './tagged-text.js';
import { notSupported, TemplateError, typeError } from './template-error.js';
import {
  Dict,
  DictView,
  isNumeric,
  itemsOf,
  Markup,
  Range,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from './values.js';

/** Python's arithmetic. @throws TemplateError `TypeError` and the like, with Python's words */
export function binary(operator: string, a: Value, b: Value, budget: Budget): Value {
  if (a instanceof Undefined) throw a.error();
  if (operator === '%' && isText(a)) return percentFormat(a, b, budget);
  if (b instanceof Undefined) throw b.error();
  if (a instanceof Markup || b instanceof Markup) {
    const canJoin = [a, b].every((one) => one instanceof Markup || isText(one));
    if (operator === '+' && canJoin) return joinMarkup([a, b], budget);
    throw notSupported(`${operator} on text from safe or escape`);
  }
  if (isNumeric(a) && isNumeric(b)) return arithmetic(operator, a, b);
  if (operator === '+') {
    if (isText(a) && isText(b)) {
      budget.text(plain(a).length + plain(b).length);
      return concat([a, b]);
    }
    if (Array.isArray(a) && Array.isArray(b)) {
      budget.items(a.length + b.length);
      return [...a, ...b];
    }
    if (a instanceof Tuple && b instanceof Tuple) {
      budget.items(a.items.length + b.items.length);
      return new Tuple([...a.items, ...b.items]);
    }
    if (isText(a)) throw typeError(`can only concatenate str (not "${typeName(b)}") to str`);
    if (Array.isArray(a)) throw typeError(`can only concatenate list (not "${typeName(b)}") to list`);
  }
  if (operator === '*') {
    const repeated = repeat(a, b, budget) ?? repeat(b, a, budget);
    if (repeated !== undefined) return repeated;
  }
  if (operator === '|' && a instanceof Dict && b instanceof Dict)
    return new Dict([...a.entries(), ...b.entries()]);
  const sign = operator === '**' ? '** or pow()' : operator;
  throw typeError(`unsupported operand type(s) for ${sign}: '${typeName(a)}' and '${typeName(b)}'`);
}

function repeat(value: Value, by: Value, budget: Budget): Value | undefined {
  if (typeof by !== 'bigint' && typeof by !== 'boolean') return undefined;
  const times = Math.max(0, Number(by));
  if (isText(value)) {
    budget.text(plain(value).length * times);
    return typeof value === 'string' ? value.repeat(times) : concat(Array<Text>(times).fill(value));
  }
  const items = value instanceof Tuple ? value.items : value;
  if (!Array.isArray(items)) return undefined;
  budget.items(items.length * times);
  const repeated = Array.from({ length: times }, () => items).flat() as Value[];
  return value instanceof Tuple ? new Tuple(repeated) : repeated;
}

const largest = 2n ** 12_000n;

function arithmetic(operator: string, a: boolean | bigint | number, b: boolean | bigint | number): Value {
  if (typeof a === 'number' || typeof b === 'number') return onFloats(operator, Number(a), Number(b));
  const result = onInts(operator, BigInt(a), BigInt(b));
  if (typeof result !== 'bigint' || (result < largest && result > -largest)) return result;
  throw new TemplateError('TooMuchWork', 'an integer of more than 3600 digits');
}

function onInts(operator: string, a: bigint, b: bigint): bigint | number {
  switch (operator) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '//':
      return floorDivide(a, divisor(b, 'integer division or modulo by zero'));
    case '%':
      return a - b * floorDivide(a, divisor(b, 'integer modulo by zero'));
    case '**':
      if (b < 0n) return onFloats('**', Number(a), Number(b));
      if (b > 12_000n && a !== 0n && a !== 1n && a !== -1n) {
        throw new TemplateError('TooMuchWork', 'an integer of more than 3600 digits');
      }
      if (a * a > largest && b > 2n)
        throw new TemplateError('TooMuchWork', 'an integer of more than 3600 digits');
      return a ** b;
    default:
      return Number(a) / Number(divisor(b, 'division by zero'));
  }
}

function onFloats(operator: string, a: number, b: number): number {
  switch (operator) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '//':
      return floorFloat(a, divisor(b, 'float floor division by zero'));
    case '%':
      return moduloFloat(a, divisor(b, 'float modulo'));
    case '**':
      if (a === 0 && b < 0) {
        throw new TemplateError('ZeroDivisionError', '0.0 cannot be raised to a negative power');
      }
      if (a < 0 && !Number.isInteger(b)) throw notSupported('a complex number');
      return a ** b;
    default:
      return a / divisor(b, 'float division by zero');
  }
}

function divisor<T extends bigint | number>(value: T, message: string): T {
  if (Number(value) === 0) throw new TemplateError('ZeroDivisionError', message);
  return value;
}

/** Python rounds down, JavaScript towards zero. */
function floorDivide(a: bigint, b: bigint): bigint {
  const quotient = a / b;
  return a % b !== 0n && a < 0n !== b < 0n ? quotient - 1n : quotient;
}

function moduloFloat(a: number, b: number): number {
  const rest = a % b;
  if (rest === 0) return b < 0 ? -0 : 0;
  return rest < 0 !== b < 0 ? rest + b : rest;
}

function floorFloat(a: number, b: number): number {
  const quotient = (a - moduloFloat(a, b)) / b;
  const floor = Math.floor(quotient);
  return quotient - floor > 0.5 ? floor + 1 : floor;
}

export function negate(value: Value, sign: 'negative' | 'positive'): Value {
  if (value instanceof Undefined) throw value.error();
  if (!isNumeric(value)) {
    throw typeError(`bad operand type for unary ${sign === 'negative' ? '-' : '+'}: '${typeName(value)}'`);
  }
  const number = typeof value === 'boolean' ? BigInt(value) : value;
  return sign === 'negative' ? -number : number;
}

export function compare(operator: string, a: Value, b: Value, budget: Budget): boolean {
  switch (operator) {
    case '==':
      return equalPython(a, b, budget);
    case '!=':
      return !equalPython(a, b, budget);
    case 'in':
      return contains(b, a, budget);
    case 'not in':
      return !contains(b, a, budget);
  }
  const order = comparePython(a, b, operator as '<', budget);
  if (operator === '<') return order < 0;
  if (operator === '<=') return order <= 0;
  return operator === '>' ? order > 0 : order >= 0;
}

function contains(container: Value, item: Value, budget: Budget): boolean {
  if (container instanceof Markup) container = container.text;
  if (item instanceof Markup) item = item.text;
  if (isText(container)) {
    if (!isText(item))
      throw typeError(`'in <string>' requires string as left operand, not ${typeName(item)}`);
    budget.read(plain(container).length);
    return plain(container).includes(plain(item));
  }
  if (container instanceof Dict) return container.has(item);
  if (container instanceof DictView && container.kind === 'keys') return container.dict.has(item);
  const items = itemsOf(container);
  if (items === undefined) throw typeError(`argument of type '${typeName(container)}' is not iterable`);
  budget.step(1 + items.length);
  return items.some((one) => equalPython(one, item, budget));
}

/** What `for` and many filters go through; the characters of a string too. */
export function iterate(value: Value, budget: Budget): Value[] {
  if (isText(value)) {
    budget.items(plain(value).length);
    return characters(value);
  }
  if (value instanceof Range || value instanceof Dict)
    budget.items(value instanceof Range ? value.length : value.size);
  const items = itemsOf(value);
  if (items === undefined) throw typeError(`'${typeName(value)}' object is not iterable`);
  budget.step(items.length);
  return items;
}

/** Python's `len`. */
export function length(value: Value, budget: Budget): number {
  if (isText(value)) budget.read(plain(value).length);
  if (isText(value)) return codePointLength(value);
  if (value instanceof Markup) return codePointLength(value.text);
  if (Array.isArray(value) || value instanceof Range) return value.length;
  if (value instanceof Tuple) return value.items.length;
  if (value instanceof Dict) return value.size;
  if (value instanceof DictView) return value.dict.size;
  if (value instanceof Undefined) return 0;
  throw typeError(`object of type '${typeName(value)}' has no len()`);
}

/** `value[index]` of a string, list, tuple or range; undefined where it has no such item, or none at all. */
export function itemAt(value: Value, index: bigint, budget: Budget): Value | undefined {
  if (value instanceof Markup) throw notSupported('an item of text from safe or escape');
  if (isText(value)) {
    const text = plain(value);
    budget.read(text.length);
    const offsets = codePointOffsets(text);
    const at = position(index, offsets === undefined ? text.length : offsets.length - 1);
    if (at === undefined) return undefined;
    return offsets === undefined ? cut(value, at, at + 1) : cut(value, offsets[at]!, offsets[at + 1]!);
  }
  const items = value instanceof Tuple ? value.items : value;
  if (!Array.isArray(items) && !(items instanceof Range)) return undefined;
  const at = position(index, items.length);
  if (at === undefined) return undefined;
  return Array.isArray(items) ? items[at] : items.at(at);
}

function position(index: bigint, count: number): number | undefined {
  const at = index < 0n ? index + BigInt(count) : index;
  return at >= 0n && at < BigInt(count) ? Number(at) : undefined;
}

/** `value[start:stop:step]`; undefined for what cannot be sliced. */
export function slice(
  value: Value,
  parts: readonly (Value | undefined)[],
  budget: Budget,
): Value | undefined {
  if (value instanceof Range) value = iterate(value, budget);
  if (!isText(value) && !Array.isArray(value) && !(value instanceof Tuple)) return undefined;
  const [start, stop, step] = parts.map(readIndex);
  if (step === 0n) throw new TemplateError('ValueError', 'slice step cannot be zero');
  const count = length(value, budget);
  const indices = sliceIndices(count, start, stop, step ?? 1n);
  budget.items(indices.length);
  if (isText(value)) {
    const offsets = codePointOffsets(plain(value));
    const at = (index: number) => offsets?.[index] ?? index;
    if ((step ?? 1n) === 1n) {
      const from = indices[0] ?? 0;
      return cut(value, at(from), at(from + indices.length));
    }
    const source = value;
    return concat(indices.map((index) => cut(source, at(index), at(index + 1))));
  }
  const items = Array.isArray(value) ? value : value.items;
  const chosen = indices.map((index) => items[index]!);
  return Array.isArray(value) ? chosen : new Tuple(chosen);
}

function readIndex(value: Value | undefined): bigint | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'bigint' || typeof value === 'boolean') return BigInt(value);
  if (value instanceof Undefined) throw value.error();
  throw typeError('slice indices must be integers or None or have an __index__ method');
}

function sliceIndices(
  count: number,
  start: bigint | undefined,
  stop: bigint | undefined,
  step: bigint,
): number[] {
  const isForward = step > 0n;
  const size = BigInt(count);
  const [low, high] = isForward ? [0n, size] : [-1n, size - 1n];
  const clamp = (index: bigint) => {
    const at = index < 0n ? index + size : index;
    return at < low ? low : at > high ? high : at;
  };
  const from = start === undefined ? (isForward ? low : high) : clamp(start);
  const to = stop === undefined ? (isForward ? high : low) : clamp(stop);
  const length = new Range(from, to, step).length;
  return Array.from({ length }, (_, index) => Number(from + BigInt(index) * step));
}
