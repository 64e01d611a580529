import { basename } from 'node:path';

/** What a data file holds, by its name. */
export interface DataFileKind {
  /** The name without folder and extensions. */
  stem: string;
  format: 'json' | 'csv' | 'parquet' | 'arrow';
  compression: 'gzip' | 'zstd' | null;
  /** Of a CSV file: what stands between two values. */
  delimiter: ',' | '\t';
}

const formats: Record<string, [DataFileKind['format'], DataFileKind['delimiter']]> = {
  jsonl: ['json', ','],
  ndjson: ['json', ','],
  json: ['json', ','],
  csv: ['csv', ','],
  tsv: ['csv', '\t'],
  parquet: ['parquet', ','],
  arrow: ['arrow', ','],
};

/** The kind of a data file, from extensions such as `.jsonl`, `.csv.gz` and `.parquet`; undefined for another file. */
export function dataFileKind(path: string): DataFileKind | undefined {
  const match = /^(.*)\.(jsonl|ndjson|json|csv|tsv|parquet|arrow)(\.gz|\.zst)?$/is.exec(basename(path));
  const [, stem, extension, packed] = match ?? [];
  const found = formats[extension?.toLowerCase() ?? ''];
  if (stem === undefined || found === undefined) return undefined;
  const compression = packed === undefined ? null : packed.toLowerCase() === '.gz' ? 'gzip' : 'zstd';
  return { stem, format: found[0], compression, delimiter: found[1] };
}
