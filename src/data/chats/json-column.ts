import { losslessJson } from '../../common/lossless-json.js';
import { rowFault } from './row-fault.js';

/**
 * A value that files without lists and objects hold as JSON text: parsed where it is text, else as it is. Empty text is
 * nothing.
 *
 * @param what names the value in messages: `the column "messages"`
 * @throws AdaptiveTrainerError `DATASET_INVALID` where the text is no JSON
 */
export function jsonColumn(value: unknown, what: string): unknown {
  if (typeof value !== 'string') return value;
  if (value.trim() === '') return null;
  try {
    return losslessJson.parse(value);
  } catch (cause) {
    const isPython = /^\s*[[{]+\s*'/.test(value);
    const advice = isPython
      ? "It is written as Python prints it, with single quotes; write it with Python's json.dumps."
      : 'Write it with JSON.stringify or json.dumps.';
    throw rowFault(`Expected ${what} to be JSON but it is not: ${(cause as Error).message}. ${advice}`);
  }
}
