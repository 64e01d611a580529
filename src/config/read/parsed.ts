import { isPlainObject } from '../../common/is-plain-object.js';

const parsed = new WeakSet<object>();

/**
 * Freezes a part of a configuration that has been read and marks it: it is taken as it is wherever a configuration is
 * expected. A changed copy is another object, which is read and checked anew.
 */
export function asParsed<T extends object>(part: T): T {
  parsed.add(part);
  return Object.freeze(part);
}

/** The same, with the lists and plain objects in it frozen too; parts in it that have been read are left as they are. */
export function asParsedWhole<T extends object>(part: T): T {
  for (const value of Object.values(part)) {
    if (isData(value) && !isParsed(value)) asParsedWhole(value);
  }
  return asParsed(part);
}

/** Not the user's own objects, such as trackers. */
function isData(value: unknown): value is object {
  if (Array.isArray(value)) return true;
  return isPlainObject(value) && !Object.values(value).some((one) => typeof one === 'function');
}

/** Whether a value is a part of a configuration that has been read. */
export function isParsed(value: unknown): boolean {
  return typeof value === 'object' && value !== null && parsed.has(value);
}
