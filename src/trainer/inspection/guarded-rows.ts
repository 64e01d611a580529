import { encodeRow } from '../../data/tokens/encode-row.js';
import type { TrainingRow } from '../../events/training-row.js';
import type { Tokenizer } from '../../tokenizer/tokenizer.js';
import { generalTexts } from './general-texts.js';

/** What the rows of the small default set are called. */
export const generalName = 'general text';

/**
 * Texts on which is seen what a model loses elsewhere: those that are given, every token of which counts, and a small set of prose, code
 * and dialogue in four languages.
 */
export function guardedRows(tokenizer: Tokenizer, given: readonly TrainingRow[]): TrainingRow[] {
  const general = generalTexts.map((text): TrainingRow => {
    const { inputIds, labels } = encodeRow(tokenizer, { text }, {});
    return { inputIds, labels, learningStyle: 'misc', source: generalName };
  });
  const own = given.map((row): TrainingRow => ({ ...row, labels: row.inputIds, learningStyle: 'misc' }));
  return [...own, ...general];
}
