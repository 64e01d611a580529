import { tableFromIPC, type Batch, type Table } from '@uwdata/flechette';
import { AdaptiveTrainerError } from '../../errors.js';
import { arrowMessages } from './arrow-messages.js';
import { arrowValue } from './arrow-values.js';
import { openFile } from './open-file.js';
import type { ArrowRow } from './arrow-row.js';
import { rowLimits } from './row-limits.js';

const given = { useBigInt: true, useDecimalInt: true };

/**
 * Reads rows from an Arrow file, of the stream or the file format, one record batch at a time: what `save_to_disk` of
 * `datasets` writes. Numbers are as `arrowValue` makes them; a missing value is null.
 *
 * @param onRead told how many bytes of the file were read so far, about
 * @throws AdaptiveTrainerError `DATASET_INVALID` when the file is no Arrow, is damaged, cut short or compressed, or has no
 * rows; `DATASET_NOT_FOUND`; `IO_FAILED`
 */
export async function* readArrow(path: string, onRead?: (bytes: number) => void): AsyncGenerator<ArrowRow> {
  const handle = await openFile(path, 'an Arrow file');
  let count = 0;
  try {
    for await (const { table, bytes } of batches(path, handle)) {
      onRead?.(bytes);
      for (let row = 0; row < table.numRows; row++) {
        yield { value: rowOf(path, table, row, count), where: `${path} row ${count}`, nullIsAbsent: true };
        count++;
      }
    }
  } finally {
    await handle.close();
  }
  if (count > 0) return;
  throw new AdaptiveTrainerError(
    'DATASET_INVALID',
    `Expected rows in ${path} but it is empty. Write it again with rows, or remove it.`,
    { details: { path } },
  );
}

/** Each record batch as a table, with the bytes read up to its end. */
async function* batches(
  path: string,
  handle: Awaited<ReturnType<typeof openFile>>,
): AsyncGenerator<{ table: Table; bytes: number }> {
  let [bytes, batch] = [0, 0];
  const head: Uint8Array[] = []; // the schema, and the dictionaries so far
  try {
    for await (const message of arrowMessages(handle)) {
      bytes += message.bytes.length;
      if (message.kind === 'schema' || message.kind === 'dictionary') head.push(message.bytes);
      if (message.kind !== 'batch') continue;
      if (head.length === 0) throw new Error('its rows come before their schema');
      const table = tableFromIPC([...head, message.bytes], given);
      if (table.numRows > rowLimits.groupRows) throw new Error(`a batch has ${table.numRows} rows`);
      yield { table, bytes };
      batch++;
    }
    if (head.length === 0) throw new Error('it has no schema');
  } catch (cause) {
    throw damaged(path, `record batch ${batch}`, cause);
  }
}

function rowOf(path: string, table: Table, row: number, index: number): Record<string, unknown> {
  try {
    const columns = table.schema.fields.map((field, at): [string, unknown] => {
      const column = table.getChildAt(at).data[0] as Batch<unknown>;
      return [field.name, arrowValue(column, field, row)];
    });
    return Object.fromEntries(columns);
  } catch (cause) {
    throw damaged(path, `row ${index}`, cause);
  }
}

function damaged(path: string, place: string, cause: unknown): unknown {
  if (AdaptiveTrainerError.isInstance(cause)) return cause;
  const said = cause instanceof Error ? cause.message : String(cause);
  const isPacked = /compression codec/i.test(said);
  return new AdaptiveTrainerError(
    'DATASET_INVALID',
    isPacked
      ? `Expected an Arrow file without compression at ${path} but its batches are compressed, which is not read. Write it ` +
          `with compression=None, or as Parquet.`
      : `Expected a whole Arrow file at ${path} but it is damaged, cut short or of another kind (${place}): ${said}. ` +
          `Fetch or write the file again.`,
    { details: { path, place }, cause },
  );
}
