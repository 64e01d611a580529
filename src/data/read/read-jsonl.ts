import { AdaptiveTrainerError } from '../../errors.js';
import { isPlainObject } from '../../common/is-plain-object.js';
import { arrayElements } from './array-elements.js';
import { decodeUtf8 } from './decode-utf8.js';
import { duplicateKey } from './duplicate-key.js';
import { fileFault } from './file-fault.js';
import { locateJsonError } from './locate-json-error.js';
import { readBytes } from './read-bytes.js';
import { textPlace } from './text-place.js';

/** One value of a file of rows. */
export interface JsonRow {
  value: unknown;
  /** 1-based line of a line file; undefined for an element of an array. */
  line: number | undefined;
  /** The place in words: `rows.jsonl line 7`. */
  where: string;
}

// Up to this size a file that is at fault is read again as a whole, to say exactly where.
const wholeBytes = 1 << 26;

/**
 * Reads rows from a file on disk: one JSON value a line (blank lines skipped), or one JSON array of rows, told apart by
 * the first character. Both are streamed, and unpacked where they are `.gz` or `.zst`. A byte order mark is dropped.
 *
 * @param onRead told how many bytes of the file were read so far
 * @throws AdaptiveTrainerError `DATASET_NOT_FOUND` when there is no such file; `DATASET_INVALID` with file, line and
 * column when it is not UTF-8 or not JSON or has a key twice, and when it is empty; `IO_FAILED` when it cannot be read
 */
export async function* readJsonl(path: string, onRead?: (bytes: number) => void): AsyncGenerator<JsonRow> {
  let count = 0;
  const rows = (await startsWithBracket(path)) ? arrayRows(path, onRead) : lineRows(path, onRead);
  for await (const row of rows) {
    count++;
    yield row;
  }
  if (count > 0) return;
  throw new AdaptiveTrainerError(
    'DATASET_INVALID',
    `Expected rows in ${path} but it is empty. Put one JSON object a line, or remove the file.`,
    { details: { path } },
  );
}

/** Whether the first character that is no white space opens an array. A single line may hold one too: `[1, 2]`. */
async function startsWithBracket(path: string): Promise<boolean> {
  for await (const chunk of readBytes(path)) {
    const start = chunk.toString('utf8', 0, 4096).replace(/^\uFEFF/, '');
    if (start.trim() !== '') return start.trimStart().startsWith('[');
  }
  return false;
}

async function* arrayRows(path: string, onRead?: (bytes: number) => void): AsyncGenerator<JsonRow> {
  const elements = arrayElements(readBytes(path, { onRead }));
  for (;;) {
    const next = await elements.next();
    if (next.done) {
      if (!next.value) throw await arrayFault(path, 'the array to end with "]"', undefined);
      return;
    }
    const { bytes, index } = next.value;
    const where = `${path} element ${index}`;
    let value: unknown;
    try {
      const text = decodeUtf8(path, bytes, 0);
      value = JSON.parse(text);
      refuseDuplicate(path, text, 1, `element ${index}`);
    } catch (cause) {
      if (AdaptiveTrainerError.isInstance(cause) && cause.details['key'] !== undefined) throw cause;
      throw await arrayFault(path, `element ${index} to be valid JSON`, cause);
    }
    yield { value, line: undefined, where };
  }
}

/** What is wrong with an array of rows, by line and column where the file is small enough to be read whole. */
async function arrayFault(path: string, expected: string, cause: unknown): Promise<unknown> {
  const whole = await readWhole(path);
  try {
    if (whole !== undefined) parse(path, decodeUtf8(path, whole, 1), 1);
  } catch (fault) {
    return fault;
  }
  const said = cause instanceof Error ? ` (${cause.message})` : '';
  return new AdaptiveTrainerError(
    'DATASET_INVALID',
    `Expected ${expected} in ${path} but found something else${said}. Write its rows as JSON Lines, one object a line, ` +
      `to be told the line.`,
    { details: { path }, cause },
  );
}

async function* lineRows(path: string, onRead?: (bytes: number) => void): AsyncGenerator<JsonRow> {
  let line = 0;
  for await (const bytes of lines(path, onRead)) {
    line++;
    const text = decodeUtf8(path, bytes, line);
    if (text.trim() === '') continue;
    const value = await parseLine(path, text, line);
    refuseDuplicate(path, text, line);
    yield { value, line, where: `${path} line ${line}` };
  }
}

/** The lines of a file as bytes: UTF-8 can only be checked on whole characters, and no character holds a newline. */
async function* lines(path: string, onRead?: (bytes: number) => void): AsyncGenerator<Buffer> {
  let pending: Buffer[] = [];
  for await (const bytes of readBytes(path, { onRead })) {
    let from = 0;
    for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, from)) {
      const end = bytes.subarray(from, at);
      yield pending.length === 0 ? end : Buffer.concat([...pending, end]);
      pending = [];
      from = at + 1;
    }
    pending.push(bytes.subarray(from));
  }
  yield Buffer.concat(pending);
}

async function parseLine(path: string, text: string, line: number): Promise<unknown> {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    if (line === 1 && text.trimStart().startsWith('{')) await refuseWholeObject(path);
    return parse(path, text, line);
  }
}

/** A pretty-printed object fails on its first line; say what is wrong with the file rather than with the line. */
async function refuseWholeObject(path: string): Promise<void> {
  const bytes = await readWhole(path);
  if (bytes === undefined) return; // a large file is more likely a line file with one bad line
  let whole: unknown;
  try {
    whole = JSON.parse(bytes.toString().replace(/^\uFEFF/, ''));
  } catch {
    return;
  }
  if (!isPlainObject(whole)) return;
  throw new AdaptiveTrainerError(
    'DATASET_INVALID',
    `Expected one JSON object a line or one array of rows in ${path} but found a single object over several lines ` +
      `(keys: ${Object.keys(whole).join(', ')}). Write its rows as an array.`,
    { details: { path, line: 1, column: 1, keys: Object.keys(whole) } },
  );
}

/** A file's content, undefined where it is large. */
async function readWhole(path: string): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of readBytes(path)) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > wholeBytes) return undefined;
  }
  return Buffer.concat(chunks);
}

function parse(path: string, text: string, line: number): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    const at = locateJsonError(text) ?? 0;
    const place = textPlace(text.slice(0, at), line);
    const found =
      at >= text.trimEnd().length
        ? 'the end'
        : JSON.stringify(String.fromCodePoint(text.codePointAt(at) ?? 0));
    const shown = text.split('\n')[place.line - line] ?? '';
    throw fileFault(path, place, 'valid JSON', found, shown, 'Each row is one JSON object.', cause);
  }
}

/** JSON.parse would keep the last value of a repeated key and lose the others. */
function refuseDuplicate(path: string, text: string, line: number, element?: string): void {
  const found = duplicateKey(text);
  if (found === undefined) return;
  const place = textPlace(text.slice(0, found.at), line);
  const at = element ?? `line ${place.line}, column ${place.column}`;
  throw new AdaptiveTrainerError(
    'DATASET_INVALID',
    `Expected each key of a row once in ${path}, ${at}, but found ${JSON.stringify(found.key)} twice in one object. ` +
      `Rename or remove one of them.`,
    { details: { path, key: found.key, ...(element === undefined ? place : { element }) } },
  );
}
