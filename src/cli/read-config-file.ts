import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { scanJson } from '../common/scan-json.js';
import { locateJsonError } from '../data/read/locate-json-error.js';
import { textPlace } from '../data/read/text-place.js';
import type { ConfigFault } from '../common/config-fault.js';
import { importModule, moduleFile } from '../common/import-module.js';
import { errorText } from '../common/error-text.js';
import { AdaptiveTrainerError } from '../errors.js';

/**
 * Reads a configuration file: JSON, or, where its name ends so, YAML, or the default export of JavaScript or TypeScript; where
 * that is a function, what it gives.
 * @throws AdaptiveTrainerError IO_FAILED where it cannot be read; CONFIG_INVALID where it is none of these, with
 *   `details.line` and `details.column`, both counted from 1
 */
export async function readConfigFile(file: string): Promise<unknown> {
  const full = path.resolve(file);
  let text: string;
  try {
    text = await readFile(full, 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const known: Record<string, string> = { ENOENT: 'there is none', EISDIR: 'it is a folder' };
    const found = known[code ?? ''] ?? `it cannot be read: ${message}`;
    throw new AdaptiveTrainerError('IO_FAILED', `Expected a configuration file at ${full}, but ${found}.`, {
      details: { file: full },
      cause: error,
    });
  }
  if (moduleFile.test(full)) return runConfig(full);
  const plain = text.replace(/^\uFEFF/, '');
  return /\.ya?ml$/i.test(full) ? parseYaml(plain, full) : parseJson(plain, full);
}

/** Of YAML 1.2, in which `2e-5` is a number and `no` is text; merge keys (`<<`) as in Python's readers. */
async function parseYaml(text: string, file: string): Promise<unknown> {
  const { parseDocument } = await import('yaml');
  const document = parseDocument(text, { merge: true, prettyErrors: false });
  const [error] = document.errors;
  if (error === undefined) return document.toJS() as unknown;
  const { line, column } = textPlace(text.slice(0, error.pos[0]), 1);
  const message = `Expected YAML in ${file} but found at line ${line}, column ${column}: ${error.message}.`;
  throw new AdaptiveTrainerError('CONFIG_INVALID', message, {
    details: { faults: [wholeFault(message)], file, line, column },
    cause: error,
  });
}

async function runConfig(file: string): Promise<unknown> {
  const refused = (found: string, cause?: unknown) => {
    const message = `Expected a configuration as the default export of ${file} but ${found}.`;
    const details = { faults: [wholeFault(message)], file };
    return new AdaptiveTrainerError('CONFIG_INVALID', message, { details, cause });
  };
  let exported: Record<string, unknown>;
  try {
    exported = await importModule(file);
  } catch (error) {
    throw refused(`it cannot be loaded: ${errorText(error).replace(/\.$/, '')}`, error);
  }
  const config = defaultExport(exported);
  if (config === undefined)
    throw refused(
      `it exports ${Object.keys(exported).join(', ') || 'nothing'}; write "export default { … }"`,
    );
  if (typeof config !== 'function') return config;
  try {
    return (await (config as () => unknown)()) ?? null;
  } catch (error) {
    if (AdaptiveTrainerError.isInstance(error)) throw error;
    throw refused(`its function failed: ${errorText(error).replace(/\.$/, '')}`, error);
  }
}

/** Of CommonJS that was made of TypeScript, `exports.default` is meant. */
function defaultExport({ default: found }: Record<string, unknown>): unknown {
  const isCompiled = typeof found === 'object' && found !== null && '__esModule' in found;
  return isCompiled ? (found as { default?: unknown }).default : found;
}

function parseJson(text: string, file: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    refuseDuplicate(text, file);
    return value;
  } catch (error) {
    if (AdaptiveTrainerError.isInstance(error)) throw error;
    const offset = locateJsonError(text) ?? text.length;
    const { line, column } = textPlace(text.slice(0, offset), 1);
    const message = `Expected JSON in ${file} but found ${found(text, offset)} at line ${line}, column ${column}.${hint(text, offset)}`;
    throw new AdaptiveTrainerError('CONFIG_INVALID', message, {
      details: { faults: [wholeFault(message)], file, line, column },
      cause: error,
    });
  }
}

/** JSON.parse would keep the last value of a key and lose the others without a word. */
function refuseDuplicate(text: string, file: string): void {
  const twice = scanJson(text).duplicate;
  if (twice === undefined) return;
  const { line, column } = textPlace(text.slice(0, twice.at), 1);
  const message =
    `Expected each key once in an object of ${file} but found ${JSON.stringify(twice.key)} again at line ${line}, ` +
    `column ${column}. Remove one of them.`;
  throw new AdaptiveTrainerError('CONFIG_INVALID', message, {
    details: { faults: [wholeFault(message)], file, line, column, key: twice.key },
  });
}

/** A fault of the file as a whole, which has no path in the configuration. */
function wholeFault(message: string): ConfigFault {
  return { path: '', code: 'INVALID', message };
}

function found(text: string, offset: number): string {
  if (text.trim() === '') return 'an empty file';
  if (offset >= text.length) return 'the end of the file';
  return (
    /^(?:"[^"\n]*"?|[\w.+-]+|\/\/|\/\*|\S)/u.exec(text.slice(offset))?.[0] ??
    'a line break or tab inside a string'
  );
}

function hint(text: string, offset: number): string {
  const rest = text.slice(offset);
  const previous = text.slice(0, offset).trimEnd().at(-1) ?? '';
  if (rest === '') return '';
  if (previous === '' && /^[A-Za-z_]\w*:(\s|$)/.test(rest)) return ' It looks like YAML: name the file .yml.';
  if (/^(None|True|False)\b/.test(rest)) return ' JSON writes null, true and false.';
  if (rest.startsWith("'")) return ' JSON takes double quotes only.';
  if (/^(NaN|-?Infinity)\b/.test(rest)) return ' JSON has no such number.';
  if (/^(\/\/|\/\*|#)/.test(rest)) return ' JSON has no comments.';
  if (previous === ',' && /^[}\]]/.test(rest)) return ' The comma before it is one too many.';
  return /["\w}\]]/.test(previous) && rest.startsWith('"') ? ' A comma before it may be missing.' : '';
}
