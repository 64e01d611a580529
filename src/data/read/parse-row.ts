import { AdaptiveTrainerError } from '../../errors.js';
import { losslessJson } from '../../common/lossless-json.js';
import { scanJson } from '../../common/scan-json.js';
import { fileFault } from './file-fault.js';
import { locateJsonError } from './locate-json-error.js';
import { rowLimits } from './row-limits.js';
import { textPlace } from './text-place.js';

/**
 * The value of the JSON text of a row, with its numbers and the order of its keys as they are in the file.
 *
 * @param line the line of the file that the text starts at
 * @param element the element of an array in words, where that is all that is known of the place
 * @throws AdaptiveTrainerError `DATASET_INVALID` with the place where it is not JSON, has a key twice or is nested too deep
 */
export function parseRow(path: string, text: string, line: number, element?: string): unknown {
  const scan = scanJson(text, rowLimits.depth);
  if (scan.depth > rowLimits.depth) {
    throw new AdaptiveTrainerError(
      'DATASET_INVALID',
      `Expected lists and objects nested at most ${rowLimits.depth} levels deep in ${path}, ${element ?? `line ${line}`}, ` +
        `but found more. Remove the row or flatten it.`,
      { details: { path, ...(element === undefined ? { line } : { element }) } },
    );
  }
  let value: unknown;
  try {
    value = losslessJson.parse(text, scan);
  } catch (cause) {
    throw notJson(path, text, line, cause);
  }
  if (scan.duplicate === undefined) return inRowOrder(value);
  const { key, at: offset } = scan.duplicate;
  const place = textPlace(text.slice(0, offset), line);
  const at = element ?? `line ${place.line}, column ${place.column}`;
  throw new AdaptiveTrainerError(
    'DATASET_INVALID',
    `Expected each key of a row once in ${path}, ${at}, but found ${JSON.stringify(key)} twice in one object. ` +
      `Rename or remove one of them.`,
    { details: { path, key, ...(element === undefined ? place : { element }) } },
  );
}

/** Columns have no order that matters. */
function inRowOrder(value: unknown): unknown {
  return value instanceof Map ? Object.fromEntries(value as Map<string, unknown>) : value;
}

function notJson(path: string, text: string, line: number, cause: unknown): AdaptiveTrainerError {
  const at = locateJsonError(text) ?? 0;
  const place = textPlace(text.slice(0, at), line);
  const shown = text.split('\n')[place.line - line] ?? '';
  const word = /^-?(NaN|Infinity|undefined|None|True|False)\b/.exec(text.slice(at, at + 12))?.[0];
  if (word !== undefined) {
    const advice =
      "JSON has no such value; Python's json.dumps writes NaN and Infinity. Write null or leave it out.";
    return fileFault(path, place, 'valid JSON', word, shown, advice, cause);
  }
  const found =
    at >= text.trimEnd().length ? 'the end' : JSON.stringify(String.fromCodePoint(text.codePointAt(at) ?? 0));
  return fileFault(path, place, 'valid JSON', found, shown, 'Each row is one JSON object.', cause);
}
