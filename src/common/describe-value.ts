import { JsonNumber } from './json-number.js';
import { OpaqueValue } from './opaque-value.js';

const longest = 60; // characters of a string that are worth repeating

/** A received value in words for an error message: `the string "4"`, `an array of 2`, `NaN`, `nothing`. */
export function describeValue(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (value instanceof JsonNumber) return value.text;
  if (value instanceof OpaqueValue) return value.what;
  if (value instanceof Date) return 'a date';
  if (Array.isArray(value)) return `an array of ${value.length}`;
  switch (typeof value) {
    case 'string':
      return describeString(value);
    case 'number':
    case 'boolean':
      return String(value);
    case 'bigint':
      return `the bigint ${value}`;
    case 'function':
      return 'a function';
    case 'symbol':
      return 'a symbol';
    default:
      return 'an object';
  }
}

function describeString(value: string): string {
  if (value === '') return 'an empty string';
  const shown = value.length > longest ? `${value.slice(0, longest)}…` : value;
  return `the string ${JSON.stringify(shown)}`;
}
