import type { TrainingRow } from '../../src/events/training-row.js';
import type { Tokenizer } from '../../src/tokenizer/tokenizer.js';

/**
 * Running text in rows of `length` tokens, texts separated by the end-of-text token. The last row is left out when it is
 * short.
 */
export function tokenRows(
  tokenizer: Tokenizer,
  texts: readonly string[],
  length: number,
  mostTokens: number,
): TrainingRow[] {
  const separator = tokenizer.eosTokenId;
  const rows: TrainingRow[] = [];
  let row: number[] = [];
  for (const text of texts) {
    const ids = tokenizer.encode(text);
    for (const id of separator === null ? ids : [...ids, separator]) {
      row.push(id);
      if (row.length < length) continue;
      rows.push({ inputIds: row, labels: row, learningStyle: 'misc', source: 'text' });
      if (rows.length * length >= mostTokens) return rows;
      row = [];
    }
  }
  return rows;
}
