import type { TrainingRow } from '../../events/training-row.js';
import type { TrainingRows } from './training-rows.js';

/** Rows that are all there, not streamed. */
export function isRowArray(rows: TrainingRows): rows is readonly TrainingRow[] {
  return Array.isArray(rows);
}
