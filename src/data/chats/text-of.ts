import { describeValue } from '../../common/describe-value.js';
import { JsonNumber } from '../../common/json-number.js';
import { rowFault } from './row-fault.js';

const mostCharacters = 1 << 24;

/**
 * A value of a row as text, by the one rule for columns, messages and what functions return: text stays as it is, numbers
 * and booleans are written as in the file.
 *
 * @param what names the value in messages: `the column "answer"`
 * @throws AdaptiveTrainerError `DATASET_INVALID` for nothing, a list, an object, and for text with half of a surrogate pair,
 * which would be trained as U+FFFD
 */
export function textOf(value: unknown, what: string): string {
  if (typeof value === 'string') return wholeCharacters(value, what);
  if (value instanceof JsonNumber || typeof value === 'boolean' || typeof value === 'bigint') {
    return String(value);
  }
  if (typeof value === 'number' && Number.isFinite(value)) return String(value);
  throw rowFault(`Expected ${what} to be a string but found ${describeValue(value)}.`);
}

/** @throws AdaptiveTrainerError `DATASET_INVALID` where half of a surrogate pair stands alone */
export function wholeCharacters(text: string, what: string): string {
  if (text.length > mostCharacters) {
    throw rowFault(
      `Expected ${what} to have at most ${mostCharacters} characters but it has ${text.length}. No model takes that many ` +
        `tokens; split the row or remove it.`,
    );
  }
  const at = text.search(/\p{Surrogate}/u);
  if (at < 0) return text;
  const code = text.charCodeAt(at).toString(16).toUpperCase();
  throw rowFault(
    `Expected ${what} to be text but its character ${at} is half of a surrogate pair (U+${code}), which no tokenizer can ` +
      `encode. It was cut or written in halves; write it again.`,
  );
}
