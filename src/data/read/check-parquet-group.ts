import type { AsyncBuffer, RowGroup, SchemaElement } from 'hyparquet';
import { parquetHeader } from 'hyparquet/src/column.js';
import { checkThrift } from './check-thrift.js';
import { checkParquetRuns } from './check-parquet-runs.js';
import { inMebibytes, rowLimits } from './row-limits.js';

/**
 * Looks at the sizes that a row group and its pages declare, before any of them is unpacked: a file of a few kilobytes may
 * declare gigabytes. Then at the runs in them.
 *
 * @throws Error in words, when one is too large or cannot be
 */
export async function checkParquetGroup(
  file: AsyncBuffer,
  group: RowGroup,
  schema: SchemaElement[],
): Promise<void> {
  const rows = Number(group.num_rows);
  if (rows > rowLimits.groupRows) {
    throw new Error(
      `it has ${rows} rows, and at most ${rowLimits.groupRows} are read at once; write smaller row groups`,
    );
  }
  let [bytes, values] = [0, 0];
  for (const { meta_data: column } of group.columns) {
    if (column === undefined) continue;
    const start = Number(column.dictionary_page_offset ?? column.data_page_offset);
    const end = start + Number(column.total_compressed_size);
    if (!(start >= 0 && end <= file.byteLength)) throw new Error('a column lies outside of the file');
    const reader = { view: new DataView(await file.slice(start, end)), offset: 0 };
    while (reader.offset < reader.view.byteLength - 1) {
      checkThrift(reader.view, reader.offset);
      const page = parquetHeader(reader);
      const header = page.data_page_header ?? page.data_page_header_v2 ?? page.dictionary_page_header;
      bytes += Number(page.uncompressed_page_size);
      values += Number(header?.num_values ?? 0);
      if (Number(page.uncompressed_page_size) > rowLimits.pageBytes || bytes > rowLimits.groupBytes) {
        const most = `${inMebibytes(rowLimits.pageBytes)} a page and ${inMebibytes(rowLimits.groupBytes)} in all`;
        throw new Error(
          `it unpacks to ${inMebibytes(bytes)} or more, and at most ${most} are read; write smaller row groups`,
        );
      }
      if (values > rowLimits.groupValues) {
        throw new Error(
          `it has more than ${rowLimits.groupValues} values, the most that are read at once; write smaller row groups`,
        );
      }
      const size = Number(page.compressed_page_size);
      if (!(size >= 0)) throw new Error('a page has no size');
      const { buffer, byteOffset } = reader.view;
      const left = reader.view.byteLength - reader.offset;
      const packed = new Uint8Array(buffer, byteOffset + reader.offset, Math.min(size, left));
      checkParquetRuns(packed, page, column, schema);
      reader.offset += size;
    }
  }
}
