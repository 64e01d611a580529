import { readFile, stat } from 'node:fs/promises';
import { boundedJson, withinLimit } from './bounded-json.js';
import { isPlainObject } from './is-plain-object.js';
import { shownJson } from './shown-json.js';
import { AdaptiveTrainerError, type ErrorCode } from '../errors.js';

/**
 * A JSON file that holds an object.
 * @throws AdaptiveTrainerError MODEL_NOT_FOUND when there is no such file; `code` when it is not a JSON object, or asks for too much
 */
export async function readJsonFile(path: string, code: ErrorCode): Promise<Record<string, unknown>> {
  let value: unknown;
  try {
    withinLimit('bytes', (await stat(path)).size, 'bytes', path, code);
    value = boundedJson(await readFile(path, 'utf8'), path, code);
  } catch (cause) {
    if (AdaptiveTrainerError.isInstance(cause)) throw cause;
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    const message = missing ? `there is no file ${path}` : `${path}: ${(cause as Error).message}`;
    throw new AdaptiveTrainerError(
      missing ? 'MODEL_NOT_FOUND' : code,
      `Expected a JSON file, but ${message}.`,
      {
        cause,
        details: { path },
      },
    );
  }
  if (!isPlainObject(value)) {
    throw new AdaptiveTrainerError(code, `Expected a JSON object in ${path}, found ${shownJson(value)}.`);
  }
  return value;
}
