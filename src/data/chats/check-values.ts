import { describeValue } from '../../common/describe-value.js';
import { isPlainObject } from '../../common/is-plain-object.js';
import { JsonNumber } from '../../common/json-number.js';
import { rowFault } from './row-fault.js';
import { wholeCharacters } from './text-of.js';

const deepest = 200;

/**
 * Sees to it that all of a value can be handed to a chat template as JSON would have it, with nothing lost on the way.
 *
 * @param what names the value in messages: `messages[2].tool_calls`
 * @throws AdaptiveTrainerError `DATASET_INVALID` naming the part that cannot
 */
export function checkValues(value: unknown, what: string, depth = 0): void {
  if (depth > deepest) throw rowFault(`Expected ${what} to be nested less than ${deepest} levels deep.`);
  if (typeof value === 'string') return void wholeCharacters(value, what);
  if (value === null || value === undefined || value instanceof JsonNumber) return;
  if (typeof value === 'boolean' || typeof value === 'bigint' || Number.isFinite(value)) return;
  if (Array.isArray(value)) {
    for (const [index, item] of (value as unknown[]).entries())
      checkValues(item, `${what}[${index}]`, depth + 1);
  } else if (value instanceof Map || isPlainObject(value)) {
    const entries = value instanceof Map ? (value as Map<string, unknown>) : Object.entries(value);
    for (const [key, entry] of entries) {
      wholeCharacters(key, `a key of ${what}`);
      checkValues(entry, `${what}.${key}`, depth + 1);
    }
  } else {
    throw rowFault(`Expected ${what} to be a value that JSON has but found ${describeValue(value)}.`);
  }
}
