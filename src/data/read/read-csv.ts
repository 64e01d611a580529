import { isUtf8 } from 'node:buffer';
import { pipeline } from 'node:stream';
import { CsvError, parse, type InfoRecord } from 'csv-parse';
import { AdaptiveTrainerError } from '../../errors.js';
import { decodeUtf8 } from './decode-utf8.js';
import { readBytes } from './read-bytes.js';

/** One row of a CSV file: its columns as text. */
export interface CsvRow {
  value: Record<string, string>;
  /** `rows.csv line 7`: the line it ends on. */
  where: string;
}

const longestRow = 1 << 26; // characters; beyond it a quote was never closed

/**
 * Reads rows from a CSV or TSV file as a stream. The first row names the columns; values stay text.
 *
 * @param onRead told how many bytes of the file were read so far
 * @throws AdaptiveTrainerError `DATASET_INVALID` with file and line when the file is not UTF-8, a quote stands alone, a
 * row has too few or too many values, a column name is there twice, or there is no row; else as `readBytes`
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
    max_record_size: longestRow,
    columns: (names: string[]) => checkColumns(path, names),
  });
  let count = 0;
  try {
    for await (const item of pipeline(utf8Lines(path, onRead), parser, () => {})) {
      const { record, info } = item as { record: Record<string, string>; info: InfoRecord };
      count++;
      yield { value: record, where: `${path} line ${info.lines}` };
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

/** A column without a name, such as the row numbers that pandas writes first, gets the name pandas gives it. */
function checkColumns(path: string, header: string[]): string[] {
  const names = header.map((name, index) => (name.trim() === '' ? `Unnamed: ${index}` : name));
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice === undefined) return names;
  throw new AdaptiveTrainerError(
    'DATASET_INVALID',
    `Expected a different name for each column in line 1 of ${path} but found "${twice}" twice (${header.join(', ')}). ` +
      `The first line names the columns; rename them there.`,
    { details: { path, line: 1, columns: header } },
  );
}

/** The bytes of a file in whole lines, which makes sure that no character is cut, checked to be UTF-8. */
async function* utf8Lines(path: string, onRead?: (bytes: number) => void): AsyncGenerator<Buffer> {
  let pending: Buffer[] = [];
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
      pending = [];
    }
    pending.push(chunk.subarray(end));
  }
  const rest = Buffer.concat(pending);
  if (rest.length > 0) yield checked(rest);
}

const advice: Record<string, string> = {
  CSV_RECORD_INCONSISTENT_COLUMNS:
    'Put values that hold a comma, a quote or a line break in double quotes, or name the file .tsv if tabs separate them.',
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
