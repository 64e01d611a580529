import { learningStyles } from '../../events/learning-style.js';
import type { TrainingRow } from '../../events/training-row.js';
import { flatBatch } from '../../model/flat-batch.js';
import type { MicroBatch, RetainedRows } from '../../engine/addon.js';
import type { RetainedBatch } from '../retention/retained-batch.js';

/**
 * Rows as the engine takes them: joined without padding.
 * @param retained rows that follow them, without labels
 */
export function microBatch(rows: readonly TrainingRow[], retained?: RetainedBatch): MicroBatch {
  const { ids = [], ...request } = retained ?? {};
  const all = [...rows.map((row) => row.inputIds), ...ids];
  // One of several ranks may have none of a micro-batch.
  const { inputIds, cuSeqlens } =
    all.length === 0 ? { inputIds: new Int32Array(), cuSeqlens: Int32Array.of(0) } : flatBatch(all);
  const labels = new Int32Array(inputIds.length).fill(-100);
  rows.forEach((row, i) => labels.set(row.labels, cuSeqlens[i]!));
  const styles = new Uint8Array(rows.length + ids.length);
  rows.forEach((row, i) => (styles[i] = learningStyles.indexOf(row.learningStyle)));
  const batch = { inputIds, cuSeqlens, labels, styles };
  return retained === undefined ? batch : { ...batch, retained: request as RetainedRows };
}

/** How many tokens of these rows are trained: labels after the first position that are not -100. */
export function labelledTokens(rows: readonly TrainingRow[]): number {
  let count = 0;
  for (const { labels } of rows) {
    for (let t = 1; t < labels.length; t++) if (labels[t] !== -100) count++;
  }
  return count;
}
