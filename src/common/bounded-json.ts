import { endOfJsonString } from './end-of-json-string.js';
import { AdaptiveTrainerError, type ErrorCode } from '../errors.js';

/**
 * How much a JSON file of a model may ask for. Each is some ten times what published models need; what is held of a value
 * takes more memory than its text.
 */
export const jsonLimits = {
  /** Bytes of a file. tokenizer.json of Gemma 3 has 33 MB. */
  bytes: 1 << 28,
  /** Numbers, strings, lists and objects. That of Gemma 3 has 1.8 million. */
  values: 1 << 24,
  /** Levels that lists and objects are nested. */
  depth: 100,
  /** Files that the index of a model lists. */
  shards: 10_000,
  /** Entries of a vocabulary, holes included. */
  vocabulary: 1 << 22,
} as const;

/** The variable of the environment that all of these are multiplied with. */
const factorVariable = 'ADAPTIVE_TRAINER_JSON_LIMITS';

/**
 * Checks that something in a file is within its limit.
 * @param what it is in words: `tokens`
 * @throws AdaptiveTrainerError `code`, with the limit and how to raise it
 */
export function withinLimit(
  limit: keyof typeof jsonLimits,
  found: number,
  what: string,
  path: string,
  code: ErrorCode,
): void {
  const factor = Number(process.env[factorVariable] ?? 1);
  const most = jsonLimits[limit] * (factor >= 1 ? factor : 1);
  if (found <= most) return;
  throw new AdaptiveTrainerError(
    code,
    `Expected at most ${most.toLocaleString('en-US')} ${what} in ${path}, found ${found.toLocaleString('en-US')}, as no ` +
      `published model has. If the file is meant to be so, set ${factorVariable}=${Math.ceil(found / jsonLimits[limit])}, ` +
      `which multiplies this and the other limits on a model's JSON files.`,
    { details: { path } },
  );
}

/**
 * JSON.parse of a text that is looked over first, so that a small file cannot take all memory.
 * @param path for messages
 * @throws AdaptiveTrainerError `code` for a text beyond the limits; SyntaxError where it is no JSON
 */
export function boundedJson(text: string, path: string, code: ErrorCode): unknown {
  const { depth, values } = measure(text);
  withinLimit('depth', depth, 'levels of lists and objects', path, code);
  withinLimit('values', values, 'values', path, code);
  return JSON.parse(text);
}

/** The deepest nesting, and about how many values there are. */
function measure(text: string): { depth: number; values: number } {
  let [depth, deepest, values] = [0, 0, 1];
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x22) at = endOfJsonString(text, at);
    else if (code === 0x2c) values++;
    else if (code === 0x5b || code === 0x7b) {
      values++;
      if (++depth > deepest) deepest = depth;
    } else if (code === 0x5d || code === 0x7d) depth--;
  }
  return { depth: deepest, values };
}
