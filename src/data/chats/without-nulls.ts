import { isPlainObject } from '../../common/is-plain-object.js';

/**
 * A value without the members of its objects that are null. Arrow gives every object of a column the same members, so
 * that one tool's call has the other tools' arguments as nulls.
 */
export function withoutNulls<Value>(value: Value): Value {
  if (Array.isArray(value)) return value.map(withoutNulls) as Value;
  const clean = ([key, entry]: [string, unknown]): [string, unknown] => [key, withoutNulls(entry)];
  const isThere = ([, entry]: [string, unknown]) => entry !== null && entry !== undefined;
  if (value instanceof Map)
    return new Map([...(value as Map<string, unknown>)].filter(isThere).map(clean)) as Value;
  if (!isPlainObject(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(isThere).map(clean)) as Value;
}
