import { isPlainObject } from '../../common/is-plain-object.js';
import { cellValues } from '../read/cell-values.js';

/**
 * A value without the members of its objects that are null. Arrow gives every object of a column the same members, so
 * that one tool's call has the other tools' arguments as nulls. What a column of JSON holds stays whole.
 */
export function withoutNulls<Value>(value: Value): Value {
  if (typeof value === 'object' && value !== null && cellValues.isJson(value)) return value;
  if (Array.isArray(value)) return value.map(withoutNulls) as Value;
  const clean = ([key, entry]: [string, unknown]): [string, unknown] => [key, withoutNulls(entry)];
  const isThere = ([, entry]: [string, unknown]) => entry !== null && entry !== undefined;
  if (value instanceof Map)
    return new Map([...(value as Map<string, unknown>)].filter(isThere).map(clean)) as Value;
  if (!isPlainObject(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(isThere).map(clean)) as Value;
}

/** A row of a file made from Arrow without such nulls; its own columns, and the content of its messages, may be null. */
export function rowWithoutNulls(row: unknown): unknown {
  if (!isPlainObject(row)) return row;
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, columnWithoutNulls(value)]));
}

function columnWithoutNulls(value: unknown): unknown {
  if (!Array.isArray(value) || cellValues.isJson(value)) return withoutNulls(value);
  return value.map((item: unknown) => {
    const clean = withoutNulls(item);
    if (!isPlainObject(clean) || !isPlainObject(item)) return clean;
    const empty = contentKeys.filter((key) => item[key] === null).map((key) => [key, null]);
    return { ...clean, ...Object.fromEntries(empty) };
  });
}

/** What a message's content may be called. */
export const contentKeys: readonly string[] = ['content', 'value', 'text'];
