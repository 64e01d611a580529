import { isUtf8 } from 'node:buffer';
import { pipeline } from 'node:stream';
import { CsvError, parse, type InfoRecord } from 'csv-parse';
import { AdaptiveTrainerError } from '../../errors.js';
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
 * Reads rows from a CSV or TSV file as a stream. The first row names the columns; values stay text, and an empty one is
 * null, as it is for pandas and `datasets`. A row with too few or too many values comes with its `fault`.
 *
 * @param onRead told how many bytes of the file were read so far
 * @throws AdaptiveTrainerError `DATASET_INVALID` with file and line when the file is not UTF-8, a quote stands alone, a
 * row is too long, a column name is there twice, the delimiter is another, or there is no row; else as `readBytes`
 */
export async function* readCsv(
  path: string,
  delimiter: string,
  onRead?: (bytes: number) => void,
): AsyncGenerator<CsvRow> {
  const parser = parse({
    delimiter,
    bom: true,
    info: true,
    skip_empty_lines: true,
    max_record_size: rowLimits.rowBytes, // beyond it a quote was never closed
    relax_column_count: true, // a row that has too many or too few is told below
  });
  let count = 0;
  let columns: string[] | undefined;
  try {
    for await (const item of pipeline(utf8Lines(path, onRead), parser, () => {})) {
      const { record, info } = item as { record: string[]; info: InfoRecord };
      if (columns === undefined) {
        columns = checkColumns(path, delimiter, record);
        continue;
      }
      count++;
      yield { ...readRecord(path, columns, record, info.lines), where: `${path} line ${info.lines}` };
    }
  } catch (cause) {
    throw cause instanceof CsvError ? explain(path, cause) : cause;
  }
  if (count > 0) return;
  throw new AdaptiveTrainerError(
    'DATASET_INVALID',
    `Expected rows in ${path} but it is empty. Put the column names in its first line and one row in each line after it.`,
    { details: { path } },
  );
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

/** The bytes of a file in whole lines, which makes sure that no character is cut, checked to be UTF-8. */
async function* utf8Lines(path: string, onRead?: (bytes: number) => void): AsyncGenerator<Buffer> {
  let pending: Buffer[] = [];
  let held = 0;
  let line = 1;
  const checked = (bytes: Buffer) => {
    if (!isUtf8(bytes)) decodeUtf8(path, bytes, line); // throws, saying where
    for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) line++;
    return bytes;
  };
  for await (const chunk of readBytes(path, { onRead })) {
    const end = chunk.lastIndexOf(10) + 1;
    if (end > 0) {
      yield checked(Buffer.concat([...pending, chunk.subarray(0, end)]));
      [pending, held] = [[], 0];
    }
    held += chunk.length - end;
    if (held > rowLimits.rowBytes) throw longLine(path, line);
    pending.push(chunk.subarray(end));
  }
  const rest = Buffer.concat(pending);
  if (rest.length > 0) yield checked(rest);
}

function longLine(path: string, line: number): AdaptiveTrainerError {
  return new AdaptiveTrainerError(
    'DATASET_INVALID',
    `Expected rows of at most ${inMebibytes(rowLimits.rowBytes)} in ${path} but line ${line} is longer. No model takes ` +
      `that many tokens; split the row or remove it.`,
    { details: { path, line } },
  );
}

const inconsistent =
  'Put values that hold a comma, a quote or a line break in double quotes, or name the file .tsv if tabs separate them.';

const advice: Record<string, string> = {
  CSV_QUOTE_NOT_CLOSED: 'Close the quote; a quote inside a quoted value is written twice ("").',
  CSV_MAX_RECORD_SIZE: 'A quote may not be closed; a quote inside a quoted value is written twice ("").',
};

function explain(path: string, cause: CsvError): AdaptiveTrainerError {
  const { lines } = cause as unknown as { lines?: number };
  return new AdaptiveTrainerError(
    'DATASET_INVALID',
    `Expected CSV in ${path}${lines === undefined ? '' : `, line ${lines}`}, but it cannot be read: ${cause.message}. ` +
      (advice[cause.code] ?? 'Write a value that holds a quote in quotes, with its quotes doubled ("").'),
    { details: { path, line: lines, reason: cause.code }, cause },
  );
}
