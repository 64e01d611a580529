import { isPlainObject } from '../../common/is-plain-object.js';

/** An object of a row, also one whose keys are kept in order by a `Map`; undefined for anything else. */
export function asObject(value: unknown): Record<string, unknown> | undefined {
  if (value instanceof Map) return Object.fromEntries(value as Map<string, unknown>);
  return isPlainObject(value) ? value : undefined;
}
