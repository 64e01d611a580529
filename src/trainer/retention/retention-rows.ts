import { createHash } from 'node:crypto';

/** Rows of token ids that the model is held to its base on. */
export interface RetentionRows {
  rows: readonly Int32Array[];
  /** Of their ids; equal for equal rows. */
  hash: string;
}

/** Several lists as one. */
export function joinedRows(lists: readonly RetentionRows[]): RetentionRows {
  if (lists.length === 1) return lists[0]!;
  const hash = createHash('sha256');
  for (const list of lists) hash.update(list.hash);
  return { rows: lists.flatMap(({ rows }) => rows), hash: hash.digest('hex') };
}

/** Rows of a caller's own. */
export function ownRows(rows: readonly ArrayLike<number>[]): RetentionRows {
  const copies = rows.map((row) => Int32Array.from(row));
  const hash = createHash('sha256');
  for (const row of copies) hash.update(Int32Array.of(row.length)).update(row);
  return { rows: copies, hash: hash.digest('hex') };
}
