import type { ColumnMetaData, SchemaElement } from 'hyparquet';
import type { PageHeader } from 'hyparquet/src/types.js';
import { decompressPage } from 'hyparquet/src/datapage.js';
import { getMaxDefinitionLevel, getMaxRepetitionLevel, getSchemaPath } from 'hyparquet/src/schema.js';
import { compressors } from 'hyparquet-compressors';

/**
 * Looks at the runs of equal values in a page: hyparquet writes as many as a run says, and one of two thousand million ends
 * the process, which no error handler sees.
 *
 * @param packed the page as it stands in the file
 * @throws Error in words, when a run is longer than what the page has values
 */
export function checkParquetRuns(
  packed: Uint8Array,
  header: PageHeader,
  column: ColumnMetaData,
  schema: SchemaElement[],
): void {
  const path = getSchemaPath(schema, column.path_in_schema);
  const widths = {
    repetition: bitsFor(getMaxRepetitionLevel(path)),
    definition: bitsFor(getMaxDefinitionLevel(path)),
  };
  const { data_page_header: first, data_page_header_v2: second } = header;
  if (first !== undefined) {
    const page = decompressPage(packed, Number(header.uncompressed_page_size), column.codec, compressors);
    let rest = page;
    for (const width of [widths.repetition, widths.definition]) {
      if (width > 0) rest = afterRuns(rest, width, first.num_values);
    }
    checkValues(rest, first.encoding, column, first.num_values);
  } else if (second !== undefined) {
    const {
      repetition_levels_byte_length: one,
      definition_levels_byte_length: other,
      num_values: values,
    } = second;
    if (widths.repetition > 0) checkRuns(packed.subarray(0, one), widths.repetition, values);
    if (widths.definition > 0) checkRuns(packed.subarray(one, one + other), widths.definition, values);
    const rest = packed.subarray(one + other);
    const size = Number(header.uncompressed_page_size) - one - other;
    const page =
      second.is_compressed === false ? rest : decompressPage(rest, size, column.codec, compressors);
    checkValues(page, second.encoding, column, values);
  }
}

function checkValues(
  page: Uint8Array,
  encoding: string | undefined,
  column: ColumnMetaData,
  values: number,
): void {
  if (encoding === 'RLE') afterRuns(page, 1, values);
  if (encoding === 'RLE_DICTIONARY' || encoding === 'PLAIN_DICTIONARY') {
    // A column of booleans has no byte that says how wide an index is.
    if (column.type === 'BOOLEAN') afterRuns(page, 1, values);
    else checkRuns(page.subarray(1), page[0] ?? 0, values);
  }
}

/** Checks runs that begin with their length in bytes. Returns what comes after them. */
function afterRuns(bytes: Uint8Array, width: number, values: number): Uint8Array {
  if (bytes.length < 4) return bytes.subarray(bytes.length);
  const end = 4 + new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  // hyparquet may read past the end that is stated, as long as values are missing.
  checkRuns(bytes.subarray(4), width, values);
  return bytes.subarray(end);
}

/** Runs of the hybrid of run lengths and packed bits: a varint, then one value or packed ones. */
function checkRuns(bytes: Uint8Array, width: number, values: number): void {
  let [at, seen] = [0, 0];
  while (seen < values && at < bytes.length) {
    let [header, shift] = [0, 0];
    for (let byte = 0x80; byte >= 0x80 && at < bytes.length && shift < 49; shift += 7) {
      byte = bytes[at++]!;
      header += (byte & 0x7f) * 2 ** shift;
    }
    const isPacked = header % 2 === 1;
    const count = Math.floor(header / 2) * (isPacked ? 8 : 1);
    // What packs eight at once has up to seven too many.
    if (count > values - seen + (isPacked ? 7 : 0))
      throw new Error(`a run of ${count} values stands in a page of ${values}`);
    at += isPacked ? Math.ceil((count * width) / 8) : Math.ceil(width / 8);
    seen += count;
    if (count === 0 && header === 0 && at >= bytes.length) return;
  }
}

function bitsFor(level: number): number {
  return 32 - Math.clz32(level);
}
