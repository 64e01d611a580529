import { createHash } from 'node:crypto';
import { rowsHash } from '../../model/generation/base-texts.js';

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
  return { rows: copies, hash: rowsHash(copies) };
}
