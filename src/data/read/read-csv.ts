import { isUtf8 } from 'node:buffer';
import { CsvError } from 'csv-parse';
import { parse } from 'csv-parse/sync';
import { AdaptiveTrainerError } from '../../errors.js';
import { csvRecords, type CsvRecord } from './csv-records.js';
import { decodeUtf8 } from './decode-utf8.js';
import { readBytes } from './read-bytes.js';
import { inMebibytes, rowLimits } from './row-limits.js';

/** One row of a CSV file: its columns as text. */
export interface CsvRow {
  value: Record<string, string | null>;
  /** `rows.csv line 7`: the line it ends on. */
  where: string;
  /** Why this row could not be read; the next ones may be. */
  fault?: AdaptiveTrainerError;
}

/**
 * Reads rows from a CSV or TSV file in pieces. The first row names the columns; values stay text, and an empty one is
 * null, as it is for pandas and `datasets`. A row that has too few or too many values, a quote out of place, a byte that is
 * not UTF-8, or is too long, comes with its `fault`.
 *
 * @param onRead told how many bytes of the file were read so far
 * @throws AdaptiveTrainerError `DATASET_INVALID` with file and line when the first row cannot be read, a column name is there
 * twice, the delimiter is another, a quote is never closed so that no further row can be told apart, or there is no row; else
 * as `readBytes`
 */
export async function* readCsv(
  path: string,
  delimiter: string,
  onRead?: (bytes: number) => void,
): AsyncGenerator<CsvRow> {
  const pieces = withoutMark(readBytes(path, { onRead }));
  const first = await pieces.next();
  const start = first.done ? Buffer.alloc(0) : first.value;
  const parser = new RecordParser(path, delimiter, lineBreak(start));
  let count = 0;
  for await (const records of csvRecords(joined(start, pieces), parser.splitting)) {
    for (const row of parser.rows(records)) {
      count++;
      yield row;
    }
  }
  if (count > 0) return;
  throw new AdaptiveTrainerError(
    'DATASET_INVALID',
    `Expected rows in ${path} but it is empty. Put the column names in its first line and one row in each line after it.`,
    { details: { path } },
  );
}

async function* joined(start: Buffer, rest: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  yield start;
  yield* rest;
}

/** The pieces without a byte order mark; the first one has the first line, or a good part of it. */
async function* withoutMark(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let isStart = true;
  for await (const piece of pieces) {
    const hasMark = isStart && piece[0] === 0xef && piece[1] === 0xbb && piece[2] === 0xbf;
    isStart = false;
    yield hasMark ? piece.subarray(3) : piece;
  }
}

/** A line feed, but in files of old Macs. */
function lineBreak(start: Buffer): number {
  return !start.includes(10) && start.includes(13) ? 13 : 10;
}

/** Makes rows of records. */
class RecordParser {
  private columns: string[] | undefined;
  readonly splitting;

  constructor(
    private readonly path: string,
    private readonly delimiter: string,
    private readonly newline: number,
  ) {
    const areRows = (records: readonly CsvRecord[], first: CsvRecord) => this.areRows(records, first);
    this.splitting = { delimiter: delimiter.charCodeAt(0), newline, areRows };
  }

  *rows(records: readonly CsvRecord[]): Generator<CsvRow> {
    let at = 0;
    if (this.columns === undefined && records.length > 0) {
      at = 1;
      this.columns = checkColumns(this.path, this.delimiter, this.parse(records[0]!));
    }
    // Many at once, which is far quicker; one by one where any of them is at fault.
    for (; at < records.length; at += batchRecords) {
      const batch = records.slice(at, at + batchRecords);
      const values = this.parseAll(batch);
      for (const [index, record] of batch.entries()) yield this.row(record, values?.[index]);
    }
  }

  private row(record: CsvRecord, parsed: string[] | undefined): CsvRow {
    const where = `${this.path} line ${record.lastLine}`;
    const isLost = record.isOpen && (record.bytes === null || record.lastLine > record.line);
    if (isLost) throw neverClosed(this.path, record.line, record.bytes === null);
    try {
      const values = parsed ?? this.parse(record);
      return { ...readRecord(this.path, this.columns!, values, record.lastLine), where };
    } catch (fault) {
      if (!AdaptiveTrainerError.isInstance(fault, 'DATASET_INVALID')) throw fault;
      return { value: {}, where, fault };
    }
  }

  private parseAll(records: readonly CsvRecord[]): string[][] | undefined {
    const isOdd = ({ bytes, isMalformed, isOpen }: CsvRecord) =>
      bytes === null || isMalformed || isOpen || !isUtf8(bytes);
    if (records.some(isOdd)) return undefined;
    const lineBreak = Buffer.of(this.newline);
    try {
      const all = this.read(Buffer.concat(records.flatMap(({ bytes }) => [bytes!, lineBreak])));
      return all.length === records.length ? all : undefined;
    } catch (cause) {
      if (cause instanceof CsvError) return undefined;
      throw cause;
    }
  }

  /** @throws AdaptiveTrainerError `DATASET_INVALID` */
  private parse({ bytes, line, lastLine }: CsvRecord): string[] {
    if (bytes === null) throw longLine(this.path, line);
    if (!isUtf8(bytes)) decodeUtf8(this.path, bytes, line); // throws, saying where
    try {
      return this.read(bytes)[0] ?? [];
    } catch (cause) {
      throw cause instanceof CsvError ? explain(this.path, cause, line, lastLine) : cause;
    }
  }

  private areRows(records: readonly CsvRecord[], first: CsvRecord): boolean {
    const [columns] = this.parseAll([first]) ?? [];
    for (let at = 0; at < records.length; at += batchRecords) {
      const values = this.parseAll(records.slice(at, at + batchRecords));
      if (!values?.every(({ length }) => length === columns?.length)) return false;
    }
    return true;
  }

  private read(bytes: Buffer): string[][] {
    const { delimiter, newline } = this;
    return parse(bytes, {
      delimiter,
      record_delimiter: newline === 13 ? ['\r'] : ['\r\n', '\n'],
      relax_column_count: true, // a row that has too many or too few is told
    });
  }
}

function readRecord(
  path: string,
  columns: readonly string[],
  record: readonly string[],
  line: number,
): Pick<CsvRow, 'value' | 'fault'> {
  const value = Object.fromEntries(columns.map((column, index) => [column, record[index] || null]));
  if (record.length === columns.length) return { value };
  const fault = new AdaptiveTrainerError(
    'DATASET_INVALID',
    `Expected ${columns.length} values (${columns.slice(0, 8).join(', ')}${columns.length > 8 ? ', …' : ''}) in ${path}, ` +
      `line ${line}, but found ${record.length}. ${inconsistent}`,
    { details: { path, line, columns, reason: 'CSV_RECORD_INCONSISTENT_COLUMNS' } },
  );
  return { value, fault };
}

/** A column without a name, such as the row numbers that pandas writes first, gets the name pandas gives it. */
function checkColumns(path: string, delimiter: string, header: string[]): string[] {
  const names = header.map((name, index) => (name.trim() === '' ? `Unnamed: ${index}` : name));
  if (names.length > rowLimits.columns) throw tooManyColumns(path, names.length);
  const other = names.length === 1 ? otherDelimiters.find((one) => names[0]!.includes(one)) : undefined;
  if (other !== undefined) throw otherDelimiter(path, delimiter, other, names[0]!);
  const seen = new Set<string>();
  const twice = names.find((name) => seen.size === seen.add(name).size);
  if (twice === undefined) return names;
  throw new AdaptiveTrainerError(
    'DATASET_INVALID',
    `Expected a different name for each column in line 1 of ${path} but found "${twice}" twice (${header.join(', ')}). ` +
      `The first line names the columns; rename them there.`,
    { details: { path, line: 1, columns: header } },
  );
}

const otherDelimiters = [',', ';', '\t', '|'];

function otherDelimiter(
  path: string,
  delimiter: string,
  other: string,
  header: string,
): AdaptiveTrainerError {
  const advice =
    other === '\t' ? 'Name the file .tsv.' : other === ',' ? 'Name the file .csv.' : 'Save it with commas.';
  return new AdaptiveTrainerError(
    'DATASET_INVALID',
    `Expected columns separated by ${JSON.stringify(delimiter)} in ${path} but found the single column ` +
      `${JSON.stringify(header)}, which looks separated by ${JSON.stringify(other)}. ${advice}`,
    { details: { path, line: 1, columns: [header] } },
  );
}

function tooManyColumns(path: string, count: number): AdaptiveTrainerError {
  return new AdaptiveTrainerError(
    'DATASET_INVALID',
    `Expected at most ${rowLimits.columns} columns in ${path} but found ${count}. The first line names the columns.`,
    { details: { path, line: 1 } },
  );
}

function longLine(path: string, line: number): AdaptiveTrainerError {
  return new AdaptiveTrainerError(
    'DATASET_INVALID',
    `Expected rows of at most ${inMebibytes(rowLimits.rowBytes)} in ${path} but line ${line} is longer. No model takes ` +
      `that many tokens; split the row or remove it.`,
    { details: { path, line } },
  );
}

/** Not the fault of a row: which rows follow cannot be told. */
function neverClosed(path: string, line: number, isLong: boolean): AdaptiveTrainerError {
  const within = isLong ? ` within ${inMebibytes(rowLimits.rowBytes)}` : '';
  return new AdaptiveTrainerError(
    'DATASET_INVALID',
    `Expected each quote to be closed${within} in ${path}, but one that opens in line ${line} is not, and what follows it cannot be ` +
      `told from its text, so no row can be skipped. ${advice['CSV_QUOTE_NOT_CLOSED']}`,
    { details: { path, line, reason: 'CSV_QUOTE_NOT_CLOSED' } },
  );
}

const batchRecords = 256;

const inconsistent =
  'Put values that hold a comma, a quote or a line break in double quotes, or name the file .tsv if tabs separate them.';

const advice: Record<string, string> = {
  CSV_QUOTE_NOT_CLOSED: 'Close the quote; a quote inside a quoted value is written twice ("").',
};

function explain(path: string, cause: CsvError, line: number, lastLine: number): AdaptiveTrainerError {
  const place = lastLine > line ? `lines ${line} to ${lastLine}` : `line ${line}`;
  return new AdaptiveTrainerError(
    'DATASET_INVALID',
    `Expected CSV in ${path}, ${place}, but it cannot be read: ${cause.message.replace(/ at line \d+/, '')}. ` +
      (advice[cause.code] ?? 'Write a value that holds a quote in quotes, with its quotes doubled ("").'),
    { details: { path, line, reason: cause.code }, cause },
  );
}
