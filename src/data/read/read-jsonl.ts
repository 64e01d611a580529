import { AdaptiveTrainerError } from '../../errors.js';
import { isPlainObject } from '../../common/is-plain-object.js';
import { arrayElements } from './array-elements.js';
import { decodeUtf8 } from './decode-utf8.js';
import { parseRow } from './parse-row.js';
import { readBytes } from './read-bytes.js';
import { inMebibytes, rowLimits } from './row-limits.js';

/** One value of a file of rows. */
export interface JsonRow {
  value: unknown;
  /** 1-based line of a line file; undefined for an element of an array. */
  line: number | undefined;
  /** The place in words: `rows.jsonl line 7`. */
  where: string;
  /** Why this row could not be read; the next ones may be. */
  fault?: AdaptiveTrainerError;
}

/**
 * Reads rows from a file on disk: one JSON value a line (blank lines skipped), or one JSON array of rows, told apart by
 * the first character. Both are streamed, and unpacked where they are `.gz` or `.zst`. A byte order mark is dropped.
 * Numbers and the order of keys stay as they are in the file (see `losslessJson`). A row that is not UTF-8, not JSON,
 * too long, nested too deep or has a key twice comes with its `fault`, which names line and column.
 *
 * @param onRead told how many bytes of the file were read so far
 * @throws AdaptiveTrainerError `DATASET_NOT_FOUND` when there is no such file; `DATASET_INVALID` when it is empty or no
 * file of rows; `IO_FAILED` when it cannot be read
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
  const elements = arrayElements(readBytes(path, { onRead }), rowLimits.rowBytes);
  let hasFault = false;
  for (;;) {
    const next = await elements.next();
    if (next.done) {
      if (!next.value) throw await arrayFault(path, 'the array to end with "]"', undefined);
      return;
    }
    const { bytes, index } = next.value;
    const row = { value: undefined, line: undefined, where: `${path} element ${index}` };
    if (bytes === null) {
      yield { ...row, fault: tooLong(path, `element ${index}`) };
      continue;
    }
    try {
      row.value = parseRow(path, decodeUtf8(path, bytes, 0), 1, `element ${index}`) as undefined;
    } catch (cause) {
      if (!AdaptiveTrainerError.isInstance(cause, 'DATASET_INVALID')) throw cause;
      const isLocated = hasFault || cause.details.element !== undefined;
      const fault = isLocated ? cause : await arrayFault(path, `element ${index} to be valid JSON`, cause);
      if (!AdaptiveTrainerError.isInstance(fault)) throw fault;
      hasFault = true; // the file is read as a whole once, not for each
      yield { ...row, fault };
      continue;
    }
    yield row;
  }
}

/** What is wrong with an array of rows, by line and column where the file is small enough to be read whole. */
async function arrayFault(path: string, expected: string, cause: unknown): Promise<unknown> {
  const whole = await readWhole(path);
  try {
    if (whole !== undefined) parseRow(path, decodeUtf8(path, whole, 1), 1);
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
    const row = { value: undefined, line, where: `${path} line ${line}` };
    if (bytes === null) {
      yield { ...row, fault: tooLong(path, `line ${line}`) };
      continue;
    }
    try {
      const text = decodeUtf8(path, bytes, line);
      if (text.trim() === '') continue;
      row.value = (await parseLine(path, text, line)) as undefined;
    } catch (fault) {
      if (!AdaptiveTrainerError.isInstance(fault, 'DATASET_INVALID') || isOfFile(fault)) throw fault;
      yield { ...row, fault };
      continue;
    }
    yield row;
  }
}

/**
 * The lines of a file as bytes: UTF-8 can only be checked on whole characters, and no character holds a newline. Null
 * stands for one that is too long to be held.
 */
async function* lines(path: string, onRead?: (bytes: number) => void): AsyncGenerator<Buffer | null> {
  let pending: Buffer[] = [];
  let held = 0;
  const line = (end: Buffer) => {
    const isTooLong = held + end.length > rowLimits.rowBytes;
    const whole = isTooLong ? null : pending.length === 0 ? end : Buffer.concat([...pending, end]);
    [pending, held] = [[], 0];
    return whole;
  };
  for await (const bytes of readBytes(path, { onRead })) {
    let from = 0;
    for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, from)) {
      yield line(bytes.subarray(from, at));
      from = at + 1;
    }
    held += bytes.length - from;
    if (held > rowLimits.rowBytes) pending = [];
    else pending.push(bytes.subarray(from));
  }
  yield line(Buffer.alloc(0));
}

function tooLong(path: string, place: string): AdaptiveTrainerError<'DATASET_INVALID'> {
  return new AdaptiveTrainerError(
    'DATASET_INVALID',
    `Expected rows of at most ${inMebibytes(rowLimits.rowBytes)} in ${path} but ${place} is longer. No model takes that ` +
      `many tokens; split the row or remove it.`,
    { details: { path, place } },
  );
}

async function parseLine(path: string, text: string, line: number): Promise<unknown> {
  try {
    return parseRow(path, text, line);
  } catch (fault) {
    if (line === 1 && text.trimStart().startsWith('{')) await refuseWholeObject(path);
    throw fault;
  }
}

/** A pretty-printed object fails on its first line; say what is wrong with the file rather than with the line. */
async function refuseWholeObject(path: string): Promise<void> {
  const bytes = await readWhole(path);
  if (bytes === undefined || !bytes.includes(10)) return; // a large file is more likely a line file with one bad line
  let whole: unknown;
  try {
    whole = parseRow(path, bytes.toString().replace(/^\uFEFF/, ''), 1);
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

/** Whether it is not one row that is at fault. */
function isOfFile(fault: AdaptiveTrainerError<'DATASET_INVALID'>): boolean {
  return fault.details.keys !== undefined;
}

/** A file's content, undefined where it is large. */
async function readWhole(path: string): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of readBytes(path)) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > rowLimits.rowBytes) return undefined;
  }
  return Buffer.concat(chunks);
}
