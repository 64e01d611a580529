/** One row of a Parquet or Arrow file. */
export interface ArrowRow {
  value: Record<string, unknown>;
  /** `rows.parquet row 7`, counted from 0 in this file. */
  where: string;
  nullIsAbsent: true;
}
