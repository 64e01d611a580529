import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { AdaptiveTrainerError } from '../errors.js';
import { isPlainObject } from '../config/is-plain-object.js';
import { locateJsonError } from './locate-json-error.js';

/** One value of a file of rows. */
export interface JsonRow {
  value: unknown;
  /** 1-based line of a line file; undefined for an element of an array. */
  line: number | undefined;
  /** The place in words: `rows.jsonl line 7`. */
  where: string;
}

/**
 * Reads rows from a file on disk: one JSON value a line (blank lines skipped), or one JSON array of rows, told apart by
 * the first character. Line files are streamed; an array is read whole. A byte order mark is dropped.
 *
 * @throws AdaptiveTrainerError `DATASET_NOT_FOUND` when there is no such file; `DATASET_INVALID` with file, line and
 * column when it is not UTF-8 or not JSON, and when it is empty; `IO_FAILED` when it cannot be read
 */
export async function* readJsonl(path: string): AsyncGenerator<JsonRow> {
  let count = 0;
  try {
    const rows = (await startsWithBracket(path)) ? arrayRows(path) : lineRows(path);
    for await (const row of rows) {
      count++;
      yield row;
    }
  } catch (cause) {
    throw explain(path, cause);
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
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4096), 0, 4096, 0);
    return /^\uFEFF?\s*\[/.test(buffer.toString('utf8', 0, bytesRead));
  } finally {
    await file.close();
  }
}

async function* arrayRows(path: string): AsyncGenerator<JsonRow> {
  const chunks: Buffer[] = [];
  for await (const chunk of createReadStream(path)) chunks.push(chunk as Buffer);
  const text = decode(path, Buffer.concat(chunks), 1);
  const rows = parse(path, text, 1) as unknown[];
  for (const [index, value] of rows.entries())
    yield { value, line: undefined, where: `${path} element ${index}` };
}

async function* lineRows(path: string): AsyncGenerator<JsonRow> {
  let line = 0;
  for await (const bytes of lines(path)) {
    line++;
    const text = decode(path, bytes, line);
    if (text.trim() === '') continue;
    yield { value: await parseLine(path, text, line), line, where: `${path} line ${line}` };
  }
}

/** The lines of a file as bytes: UTF-8 can only be checked on whole characters, and no character holds a newline. */
async function* lines(path: string): AsyncGenerator<Buffer> {
  let pending: Buffer[] = [];
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
    let from = 0;
    const bytes = chunk as Buffer;
    for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, from)) {
      yield Buffer.concat([...pending, bytes.subarray(from, at)]);
      pending = [];
      from = at + 1;
    }
    pending.push(bytes.subarray(from));
  }
  yield Buffer.concat(pending);
}

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const lenient = new TextDecoder('utf-8', { ignoreBOM: true });

function decode(path: string, bytes: Buffer, line: number): string {
  const text = strictly(bytes);
  if (text !== undefined) return line === 1 ? text.replace(/^\uFEFF/, '') : text;
  // Replaced bytes do not come back as they were: the first difference is the first byte that is not UTF-8.
  const replaced = lenient.decode(bytes);
  const again = Buffer.from(replaced);
  let at = 0;
  while (bytes[at] === again[at]) at++;
  while (at > 0 && strictly(bytes.subarray(0, at)) === undefined) at--; // back to a character's first byte
  const place = lineAndColumn(lenient.decode(bytes.subarray(0, at)), line);
  const byte = `0x${(bytes[at] ?? 0).toString(16).padStart(2, '0')}`;
  throw invalid(path, place, 'UTF-8 text', `the byte ${byte}`, replaced, 'Save the file as UTF-8.');
}

function strictly(bytes: Buffer): string | undefined {
  try {
    return strict.decode(bytes);
  } catch {
    return undefined;
  }
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
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of createReadStream(path)) {
    chunks.push(chunk as Buffer);
    size += (chunk as Buffer).length;
    if (size > 1 << 26) return; // a large file is more likely a line file with one bad line
  }
  let whole: unknown;
  try {
    whole = JSON.parse(
      Buffer.concat(chunks)
        .toString()
        .replace(/^\uFEFF/, ''),
    );
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

function parse(path: string, text: string, line: number): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    const at = locateJsonError(text) ?? 0;
    const place = lineAndColumn(text.slice(0, at), line);
    const found =
      at >= text.trimEnd().length
        ? 'the end'
        : JSON.stringify(String.fromCodePoint(text.codePointAt(at) ?? 0));
    const shown = text.split('\n')[place.line - line] ?? '';
    throw invalid(path, place, 'valid JSON', found, shown, 'Each row is one JSON object.', cause);
  }
}

function lineAndColumn(before: string, firstLine: number): { line: number; column: number } {
  const rows = before.split('\n');
  return { line: firstLine + rows.length - 1, column: (rows.at(-1)?.length ?? 0) + 1 };
}

function invalid(
  path: string,
  { line, column }: { line: number; column: number },
  expected: string,
  found: string,
  text: string,
  advice: string,
  cause?: unknown,
): AdaptiveTrainerError {
  const from = Math.max(0, column - 31);
  const part = text.slice(from, column + 29);
  const excerpt = `${from > 0 ? '…' : ''}${part}${column + 29 < text.length ? '…' : ''}`;
  return new AdaptiveTrainerError(
    'DATASET_INVALID',
    `Expected ${expected} in ${path}, line ${line}, column ${column}, but found ${found}: ${JSON.stringify(excerpt)}. ${advice}`,
    { details: { path, line, column, excerpt }, cause },
  );
}

function explain(path: string, cause: unknown): unknown {
  if (AdaptiveTrainerError.isInstance(cause)) return cause;
  const code = (cause as NodeJS.ErrnoException | undefined)?.code;
  if (code === undefined || (cause as NodeJS.ErrnoException).syscall === undefined) return cause; // thrown by the reader's user
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return new AdaptiveTrainerError(
      'DATASET_NOT_FOUND',
      `Expected a .jsonl or .json file at ${path} but there is none. Relative paths start at ${process.cwd()}.`,
      { details: { path }, cause },
    );
  }
  const advice = code === 'EISDIR' ? 'It is a folder; name a file in it.' : 'Check its permissions.';
  return new AdaptiveTrainerError('IO_FAILED', `Could not read ${path}: ${String(cause)}. ${advice}`, {
    details: { path },
    cause,
  });
}
