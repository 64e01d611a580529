import type { Budget } from './budget.js';
import { isText, plain } from './tagged-text.js';
import { typeError } from './template-error.js';
import { Dict, isNumeric, Markup, Range, Tuple, typeName, Undefined, type Value } from './values.js';

type Order = '<' | '<=' | '>' | '>=';

/** Python's `==`. */
export function equalPython(a: Value, b: Value, budget: Budget): boolean {
  budget.step();
  if (a instanceof Markup) a = a.text;
  if (b instanceof Markup) b = b.text;
  if (isText(a) && isText(b)) {
    budget.read(plain(a).length);
    return plain(a) === plain(b);
  }
  if (isNumeric(a) && isNumeric(b)) return compareNumbers(a, b) === 0;
  if (a instanceof Undefined && b instanceof Undefined) return true;
  const listA = sequence(a);
  const listB = sequence(b);
  if (listA !== undefined && listB !== undefined && Array.isArray(a) === Array.isArray(b)) {
    return (
      listA.length === listB.length && listA.every((item, index) => equalPython(item, listB[index]!, budget))
    );
  }
  if (a instanceof Dict && b instanceof Dict) {
    const other = b;
    return (
      a.size === b.size &&
      a.entries().every(([key, value]) => {
        const found = other.get(key);
        return found !== undefined && equalPython(value, found, budget);
      })
    );
  }
  if (a instanceof Range && b instanceof Range) {
    if (a.length !== b.length) return false;
    return a.length === 0 || (a.start === b.start && (a.length === 1 || a.step === b.step));
  }
  return a === b;
}

/**
 * Negative, zero or positive as `a` comes before, at or after `b` in Python; NaN where they are not in order.
 *
 * @throws TemplateError `TypeError` for values that cannot be ordered
 */
export function comparePython(a: Value, b: Value, operator: Order, budget: Budget): number {
  budget.step();
  if (a instanceof Undefined) throw a.error();
  if (b instanceof Undefined) throw b.error();
  if (isText(a) && isText(b)) {
    budget.read(plain(a).length);
    return compareStrings(plain(a), plain(b));
  }
  if (isNumeric(a) && isNumeric(b)) return compareNumbers(a, b);
  const listA = sequence(a);
  const listB = sequence(b);
  if (listA !== undefined && listB !== undefined && Array.isArray(a) === Array.isArray(b)) {
    const length = Math.min(listA.length, listB.length);
    for (let index = 0; index < length; index++) {
      const [left, right] = [listA[index]!, listB[index]!];
      if (!equalPython(left, right, budget)) return comparePython(left, right, operator, budget);
    }
    return listA.length - listB.length;
  }
  const [left, right] = [typeName(a), typeName(b)];
  throw typeError(`'${operator}' not supported between instances of '${left}' and '${right}'`);
}

function sequence(value: Value): Value[] | undefined {
  if (Array.isArray(value)) return value;
  return value instanceof Tuple ? value.items : undefined;
}

function compareNumbers(a: boolean | bigint | number, b: boolean | bigint | number): number {
  const [left, right] = [typeof a === 'boolean' ? Number(a) : a, typeof b === 'boolean' ? Number(b) : b];
  if (Number.isNaN(left) || Number.isNaN(right)) return NaN;
  return left < right ? -1 : left > right ? 1 : 0; // exact, between bigint and number too
}

/** By code points: UTF-16 puts the characters above U+FFFF before those from U+E000 on. */
function compareStrings(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) {
    const [left, right] = [a.charCodeAt(at), b.charCodeAt(at)];
    if (left === right) continue;
    const isHigh = (unit: number) => unit >= 0xd800 && unit <= 0xdfff;
    return isHigh(left) !== isHigh(right) ? (isHigh(left) ? 1 : -1) : left - right;
  }
  return a.length - b.length;
}
