const separator = ':|:';

/** A dataset as the configuration names it, taken apart: `name:|:500` is 500 rows of `name`. */
export interface DatasetName {
  /** The whole entry as written. */
  entry: string;
  /** Hub id or path. */
  name: string;
  /** What follows `:|:`, if there is one. */
  rows: string | undefined;
}

/** Splits an entry at its last `:|:`. */
export function datasetName(entry: string): DatasetName {
  const at = entry.lastIndexOf(separator);
  if (at < 0) return { entry, name: entry, rows: undefined };
  return { entry, name: entry.slice(0, at), rows: entry.slice(at + separator.length).trim() };
}
