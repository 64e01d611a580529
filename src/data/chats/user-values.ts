import { isPlainObject } from '../../common/is-plain-object.js';
import { JsonNumber } from '../../common/json-number.js';

// What an object that was handed to a user's function was made from.
const originals = new WeakMap<object, Map<string, unknown>>();

/** Values on their way to a user's function and back: there they are plain, and what comes back unchanged is as it was. */
export const userValues = {
  /**
   * A value with numbers and objects of JavaScript as far as they hold it exactly: `1.0` is 1. A whole number that is too
   * large is a `bigint`, any other that a double does not hold stays a `JsonNumber`.
   */
  plain(value: unknown): unknown {
    if (value instanceof JsonNumber) return plainNumber(value);
    if (Array.isArray(value)) {
      const items = (value as unknown[]).map(userValues.plain);
      return remember(value as unknown[], items, Object.entries(value));
    }
    if (!(value instanceof Map) && !isPlainObject(value)) return value;
    const entries = value instanceof Map ? [...(value as Map<string, unknown>)] : Object.entries(value);
    const made = Object.fromEntries(entries.map(([key, entry]) => [key, userValues.plain(entry)]));
    return remember(value, made, entries);
  },

  /** What a user's function made of such values, with the numbers and the order of keys that they had in the file. */
  restored(value: unknown): unknown {
    if (typeof value !== 'object' || value === null) return value;
    const before = originals.get(value);
    const restore = ([key, entry]: [string, unknown]): [string, unknown] => {
      const was = before?.get(key);
      const isSame = was instanceof JsonNumber && Object.is(plainNumber(was), entry);
      return [key, isSame ? was : userValues.restored(entry)];
    };
    if (Array.isArray(value)) return Object.entries(value as unknown[]).map((item) => restore(item)[1]);
    if (!isPlainObject(value)) return value;
    const entries = Object.entries(value).map(restore);
    const after = new Map(entries);
    const isSameKeys = before?.size === after.size && [...before.keys()].every((key) => after.has(key));
    const isMoved = isSameKeys && [...before.keys()].some((key, index) => key !== entries[index]?.[0]);
    if (!isMoved) return Object.fromEntries(entries);
    return new Map([...before.keys()].map((key) => [key, after.get(key)]));
  },
};

/** Gives back the value itself where nothing in it changed. */
function remember(value: object, made: object, entries: [string, unknown][]): object {
  const isSame =
    !(value instanceof Map) && Object.values(made).every((one, index) => one === entries[index]?.[1]);
  if (isSame) return value;
  originals.set(made, new Map(entries));
  return made;
}

function plainNumber(number: JsonNumber): number | bigint | JsonNumber {
  const value = number.valueOf();
  if (number.isInteger) return Number.isSafeInteger(value) ? value : BigInt(number.text);
  const digits = number.text.replace(/[eE].*|[-.]/g, '').replace(/^0+|0+$/g, '');
  return digits.length <= 15 && Number.isFinite(value) ? value : number;
}
