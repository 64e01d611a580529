import { AdaptiveTrainerError } from '../../errors.js';
import { dataFileKind } from '../../common/data-file-kind.js';
import { readCsv } from './read-csv.js';
import { readJsonl } from './read-jsonl.js';
import { readParquet } from './read-parquet.js';

/** One row of any data file. */
export interface FileRow {
  value: unknown;
  /** The place in words: the file, and the line, element or row. */
  where: string;
  /** Why the row could not be read; the file goes on after it. */
  fault?: AdaptiveTrainerError;
  /** Whether a null stands for a member that is not there, as in files that are made from Arrow. */
  nullIsAbsent?: boolean;
}

/**
 * Streams the rows of a data file of any kind, told by its name: JSON Lines or a JSON array, CSV, TSV (each also as
 * `.gz` or `.zst`), Parquet.
 *
 * @param onRead told how many bytes of the file were read so far, about
 * @throws AdaptiveTrainerError see `readJsonl`, `readCsv`, `readParquet`; `DATASET_INVALID` for a file of another kind
 */
export function readRows(path: string, onRead?: (bytes: number) => void): AsyncIterable<FileRow> {
  const kind = dataFileKind(path);
  if (kind?.format === 'csv') return readCsv(path, kind.delimiter, onRead);
  if (kind?.format === 'json') return readJsonl(path, onRead);
  if (kind?.format === 'parquet' && kind.compression === null) return readParquet(path, onRead);
  const found = kind === undefined ? 'a file of another kind' : 'a packed one, which cannot be read in parts';
  throw new AdaptiveTrainerError(
    'DATASET_INVALID',
    `Expected a .jsonl, .json, .csv, .tsv (also .gz or .zst) or .parquet file but ${path} is ${found}. ` +
      `${kind === undefined ? 'Convert it, one JSON object a line.' : 'Unpack it; Parquet is packed inside already.'}`,
    { details: { path } },
  );
}
