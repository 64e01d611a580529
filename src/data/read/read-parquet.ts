import type { FileHandle } from 'node:fs/promises';
import {
  parquetMetadataAsync,
  parquetReadObjects,
  type AsyncBuffer,
  type FileMetaData,
  type SchemaElement,
} from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { AdaptiveTrainerError } from '../../errors.js';
import type { ArrowRow } from './arrow-row.js';
import { cellValues } from './cell-values.js';
import { checkThrift } from './check-thrift.js';
import { checkParquetGroup } from './check-parquet-group.js';
import { openFile } from './open-file.js';
import { ParquetValues } from './parquet-values.js';

const parsers = {
  stringFromBytes: (bytes: Uint8Array | undefined): unknown => bytes && cellValues.text(bytes),
  jsonFromBytes: (bytes: Uint8Array | undefined): unknown => bytes && cellValues.json(bytes),
};

/**
 * Reads rows from a Parquet file (snappy, zstd, gzip, brotli, lz4 or plain), one row group at a time. Numbers are
 * as `ParquetValues` makes them; a missing value is null.
 *
 * @param onRead told how many bytes of the file were read so far, about
 * @throws AdaptiveTrainerError `DATASET_INVALID` when the file is no Parquet, is damaged or cut short, or has no rows;
 * `DATASET_NOT_FOUND`; `IO_FAILED`
 */
export async function* readParquet(path: string, onRead?: (bytes: number) => void): AsyncGenerator<ArrowRow> {
  const handle = await openFile(path, 'a Parquet file');
  try {
    const file = await asyncBuffer(handle);
    const metadata = await readMetadata(path, file);
    const values = new ParquetValues(metadata);
    let rowStart = 0;
    for (const [group, { num_rows }] of metadata.row_groups.entries()) {
      const rowEnd = rowStart + Number(num_rows);
      const rows = await readGroup(path, group, { file, metadata, rowStart, rowEnd });
      onRead?.((file.byteLength * rowEnd) / Number(metadata.num_rows));
      for (const [index, row] of rows.entries()) {
        yield {
          value: values.row(row as Record<string, unknown>),
          where: `${path} row ${rowStart + index}`,
          nullIsAbsent: true,
        };
      }
      rowStart = rowEnd;
    }
    if (rowStart > 0) return;
  } finally {
    await handle.close();
  }
  throw new AdaptiveTrainerError(
    'DATASET_INVALID',
    `Expected rows in ${path} but it is empty. Write it again with rows, or remove it.`,
    { details: { path } },
  );
}

async function asyncBuffer(handle: FileHandle): Promise<AsyncBuffer> {
  const { size } = await handle.stat();
  return {
    byteLength: size,
    async slice(start: number, end = size) {
      const bytes = new Uint8Array(Math.max(0, Math.min(end, size) - start));
      let read = 0;
      while (read < bytes.length) {
        const { bytesRead } = await handle.read(bytes, read, bytes.length - read, start + read);
        if (bytesRead === 0) throw new Error(`the file ends at byte ${start + read}`);
        read += bytesRead;
      }
      return bytes.buffer;
    },
  };
}

async function readMetadata(path: string, file: AsyncBuffer): Promise<FileMetaData> {
  try {
    await checkFooter(file);
    // Marks of columns with places on earth, of which nothing here makes use.
    const metadata = await parquetMetadataAsync(file, { geoparquet: false });
    checkSchema(metadata.schema);
    return metadata;
  } catch (cause) {
    throw damaged(path, `${file.byteLength} bytes`, cause);
  }
}

/** The footer is followed by its length and four letters, which hyparquet looks at. */
async function checkFooter(file: AsyncBuffer): Promise<void> {
  const end = file.byteLength - 8;
  if (end < 0) throw new Error('it is too short');
  const length = new DataView(await file.slice(end, end + 4)).getUint32(0, true);
  if (length > end) throw new Error(`its description of ${length} bytes is longer than the file`);
  checkThrift(new DataView(await file.slice(end - length, end)), 0);
}

/** Elements stand in the order of a walk over their tree, each with the number of its children. */
function checkSchema(schema: readonly SchemaElement[]): void {
  let missing = 1;
  for (const { name, num_children: children = 0 } of schema) {
    if (missing === 0) throw new Error(`its schema goes on after its end, at ${name}`);
    if (children < 0) throw new Error(`its schema has ${name} with ${children} children`);
    missing += children - 1;
  }
  if (missing > 0) throw new Error(`its schema ends ${missing} columns early`);
}

async function readGroup(
  path: string,
  group: number,
  range: { file: AsyncBuffer; metadata: FileMetaData; rowStart: number; rowEnd: number },
): Promise<unknown[]> {
  try {
    await checkParquetGroup(range.file, range.metadata.row_groups[group]!, range.metadata.schema);
    const rows = await parquetReadObjects({ ...range, compressors, parsers, utf8: false });
    const wanted = range.rowEnd - range.rowStart;
    if (rows.length === wanted) return rows;
    throw new Error(`${rows.length} of ${wanted} rows came out`);
  } catch (cause) {
    throw damaged(path, `row group ${group}, rows ${range.rowStart} to ${range.rowEnd - 1}`, cause);
  }
}

function damaged(path: string, place: string, cause: unknown): AdaptiveTrainerError {
  const said = cause instanceof Error ? cause.message : String(cause);
  return new AdaptiveTrainerError(
    'DATASET_INVALID',
    `Expected a whole Parquet file at ${path} but it is damaged, cut short or of another kind (${place}): ${said}. ` +
      `Fetch or write the file again.`,
    { details: { path, place }, cause },
  );
}
