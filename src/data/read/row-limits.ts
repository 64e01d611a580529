/**
 * How much of a file may be one thing, so that a small file that swells when it is unpacked cannot take all memory. What
 * is larger could not be trained on either.
 */
export const rowLimits = {
  /** Bytes of a line, of an element of an array, or of a row of CSV. */
  rowBytes: 1 << 24,
  columns: 10_000,
  /** Levels that lists and objects are nested. */
  depth: 200,
  /** Bytes that a Zstandard frame may ask to be kept for looking back. */
  zstdWindow: 1 << 27,
  /** Of a Parquet file: rows of a group, and values of a column of one. */
  groupRows: 1 << 22,
  groupValues: 1 << 25,
  /** Bytes of a row group unpacked, and of one page of it. */
  groupBytes: 1 << 30,
  pageBytes: 1 << 28,
} as const;

/** A size in messages: `16 MiB`. */
export function inMebibytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20).toLocaleString('en-US')} MiB`;
}
