import { dataFileKind, type DataFileKind } from '../../common/data-file-kind.js';

/** Leaves out files of another format than most: a repository with a `.csv` copy of its `.parquet` files has one set. */
export function oneFormat(splits: ReadonlyMap<string, string[]>): Map<string, string[]> {
  const counts = new Map<DataFileKind['format'], number>();
  for (const path of [...splits.values()].flat()) {
    const format = dataFileKind(path)?.format;
    if (format !== undefined) counts.set(format, (counts.get(format) ?? 0) + 1);
  }
  const [most] = [...counts].sort(([, a], [, b]) => b - a)[0] ?? [];
  const kept = [...splits].map(([split, files]): [string, string[]] => [
    split,
    files.filter((path) => dataFileKind(path)?.format === most).sort(),
  ]);
  return new Map(kept.filter(([, files]) => files.length > 0));
}
