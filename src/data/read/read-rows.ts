import { open } from 'node:fs/promises';
import { AdaptiveTrainerError } from '../../errors.js';
import { dataFileKind } from '../../common/data-file-kind.js';
import { readJsonl } from './read-jsonl.js';

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
 * `.gz` or `.zst`), Parquet, Arrow.
 *
 * @param onRead told how many bytes of the file were read so far, about
 * @throws AdaptiveTrainerError see `readJsonl`, `readCsv`, `readParquet`, `readArrow`; `DATASET_INVALID` for a file of another kind
 */
export function readRows(path: string, onRead?: (bytes: number) => void): AsyncIterable<FileRow> {
  const kind = dataFileKind(path);
  if (kind?.format === 'csv') return whole(path, csvRows(path, kind.delimiter, onRead));
  if (kind?.format === 'json') return whole(path, readJsonl(path, onRead));
  if (kind?.format === 'arrow' && kind.compression === null) return whole(path, arrowRows(path, onRead));
  if (kind?.format === 'parquet' && kind.compression === null) return whole(path, parquetRows(path, onRead));
  const found = kind === undefined ? 'a file of another kind' : 'a packed one, which cannot be read in parts';
  throw new AdaptiveTrainerError(
    'DATASET_INVALID',
    `Expected a .jsonl, .json, .csv, .tsv (also .gz or .zst), .parquet or .arrow file but ${path} is ${found}. ` +
      `${kind === undefined ? 'Convert it, one JSON object a line.' : 'Unpack it; Parquet and Arrow are not packed as files.'}`,
    { details: { path } },
  );
}

// A program that reads no such files waits for none of the libraries that do.
async function* csvRows(
  path: string,
  delimiter: string,
  onRead?: (bytes: number) => void,
): AsyncGenerator<FileRow> {
  yield* (await import('./read-csv.js')).readCsv(path, delimiter, onRead);
}
async function* arrowRows(path: string, onRead?: (bytes: number) => void): AsyncGenerator<FileRow> {
  yield* (await import('./read-arrow.js')).readArrow(path, onRead);
}
async function* parquetRows(path: string, onRead?: (bytes: number) => void): AsyncGenerator<FileRow> {
  yield* (await import('./read-parquet.js')).readParquet(path, onRead);
}

const pointer = 'version https://git-lfs.github.com/spec/';

/** The rows, unless the file is what git leaves in the place of a large one, or is written in UTF-16. */
async function* whole(path: string, rows: AsyncIterable<FileRow>): AsyncGenerator<FileRow> {
  const start = Buffer.alloc(pointer.length);
  const file = await open(path).catch(() => undefined); // the reader will say why
  const { bytesRead = 0 } = (await file?.read(start, 0, start.length, 0).catch(() => undefined)) ?? {};
  await file?.close();
  const isUtf16 = bytesRead >= 2 && [0xfeff, 0xfffe].includes(start.readUInt16LE(0));
  const isText = ['json', 'csv'].includes(dataFileKind(path)!.format);
  if (isUtf16 && isText) throw utf16(path);
  if (start.toString('latin1', 0, bytesRead) !== pointer) return yield* rows;
  throw new AdaptiveTrainerError(
    'DATASET_INVALID',
    `Expected the rows of ${path} but git has left a pointer to them in its place (Git LFS). Run "git lfs pull" in its folder.`,
    { details: { path } },
  );
}

function utf16(path: string): AdaptiveTrainerError {
  return new AdaptiveTrainerError(
    'DATASET_INVALID',
    `Expected UTF-8 text in ${path} but it is UTF-16, as Windows programs write "Unicode". Save the file as UTF-8.`,
    { details: { path } },
  );
}
