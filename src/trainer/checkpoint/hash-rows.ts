import { createHash } from 'node:crypto';
import { knownRows } from '../../data/mix/row-list.js';
import { EventLoopPacer } from '../../data/tokens/event-loop-pacer.js';
import { learningStyles } from '../../events/learning-style.js';
import type { TrainingRow } from '../../events/training-row.js';

/**
 * SHA-256 of what is trained: ids, labels and styles of all rows, in slices between which the event loop goes on. That of a
 * DatasetMixer's rows follows from hashes that were made as their tokens were written, so that no row is read.
 */
export async function hashRows(rows: readonly TrainingRow[]): Promise<string> {
  const known = knownRows(rows);
  if (known !== undefined) return known.digest();
  const hash = createHash('sha256');
  const pacer = new EventLoopPacer();
  for (const { inputIds, labels, learningStyle } of rows) {
    const head = Int32Array.of(inputIds.length, learningStyles.indexOf(learningStyle));
    hash.update(head).update(Int32Array.from(inputIds)).update(Int32Array.from(labels));
    await pacer.breathe();
  }
  return hash.digest('hex');
}
