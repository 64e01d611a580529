import { JsonNumber } from '../../common/json-number.js';
import { tagged, type Tag } from './tagged-text.js';
import { Dict, type Value } from './values.js';

/** A value of JavaScript as a template sees it. `tagOf` gives each string, found by its path, a tag. */
export function toValue(input: unknown, tagOf?: (path: string) => Tag, path = ''): Value {
  switch (typeof input) {
    case 'string':
      return tagOf === undefined ? input : tagged(input, tagOf(path));
    case 'number':
      return Number.isSafeInteger(input) && !Object.is(input, -0) ? BigInt(input) : input;
    case 'bigint':
    case 'boolean':
      return input;
    case 'object':
      break;
    default:
      return null;
  }
  if (input === null) return null;
  if (input instanceof JsonNumber) return input.isInteger ? BigInt(input.text) : Number(input.text);
  const at = (key: string) => (path === '' ? key : `${path}.${key}`);
  if (Array.isArray(input)) return input.map((item, index) => toValue(item, tagOf, at(String(index))));
  const entries = input instanceof Map ? [...(input as Map<unknown, unknown>)] : Object.entries(input);
  return new Dict(
    entries
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => [toValue(key), toValue(value, tagOf, at(String(key)))]),
  );
}
