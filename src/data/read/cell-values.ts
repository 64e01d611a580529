import { isPlainObject } from '../../common/is-plain-object.js';
import { JsonNumber } from '../../common/json-number.js';
import { losslessJson } from '../../common/lossless-json.js';
import { OpaqueValue } from '../../common/opaque-value.js';
import { orderedObject } from '../../common/ordered-object.js';

const fromJson = new WeakSet();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Values that Arrow and Parquet files share. */
export const cellValues = {
  /** Text; of bytes that are no UTF-8 nothing is replaced. */
  text(bytes: Uint8Array): string | OpaqueValue {
    try {
      return decoder.decode(bytes);
    } catch {
      return new OpaqueValue('bytes that are not UTF-8', bytes);
    }
  },

  /** The value of a column that is declared to be JSON. */
  json(bytes: Uint8Array): unknown {
    const text = cellValues.text(bytes);
    if (typeof text !== 'string') return text;
    const value = losslessJson.parse(text);
    if (Array.isArray(value) || value instanceof Map || isPlainObject(value)) fromJson.add(value);
    return value;
  },

  /** Whether it came from such a column: its nulls are meant, while those of other columns stand for what is not there. */
  isJson(value: object): boolean {
    return fromJson.has(value);
  },

  /** A map with text as keys is an object; any other has no form in JSON. */
  map(entries: readonly (readonly [unknown, unknown])[]): unknown {
    const isText = entries.every(([key]) => typeof key === 'string');
    if (!isText) return new OpaqueValue('a map whose keys are not text', entries);
    if (new Set(entries.map(([key]) => key)).size < entries.length)
      return new OpaqueValue('a map with a key twice', entries);
    return orderedObject(entries as readonly [string, unknown][]);
  },

  integer(value: number | bigint): number | JsonNumber {
    return JsonNumber.of(String(value));
  },
};
