import { learningStyles } from '../../events/learning-style.js';
import type { TrainingRow } from '../../events/training-row.js';
import { flatBatch } from '../../model/flat-batch.js';
import type { MicroBatch } from '../../engine/addon.js';

/** Rows as the engine takes them: joined without padding. */
export function microBatch(rows: readonly TrainingRow[]): MicroBatch {
  const { inputIds, cuSeqlens } = flatBatch(rows.map((row) => row.inputIds));
  const labels = new Int32Array(inputIds.length);
  rows.forEach((row, i) => labels.set(row.labels, cuSeqlens[i]!));
  const styles = Uint8Array.from(rows, (row) => learningStyles.indexOf(row.learningStyle));
  return { inputIds, cuSeqlens, labels, styles };
}

/** How many tokens of these rows are trained: labels after the first position that are not -100. */
export function labelledTokens(rows: readonly TrainingRow[]): number {
  let count = 0;
  for (const { labels } of rows) {
    for (let t = 1; t < labels.length; t++) if (labels[t] !== -100) count++;
  }
  return count;
}
