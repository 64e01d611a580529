import type { SamplesEvent } from '../events/training-event.js';
import type { TrainingRow } from '../events/training-row.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';

const perSource = 2;
const maxSources = 20;
/** Rows that are looked at; they are shuffled, so each larger dataset is among them. */
const lookedAt = 1_000;
const maxCharacters = 4_000;

/** The first training rows of each dataset as the model gets them, special tokens included. */
export function sampleRows(rows: readonly TrainingRow[], tokenizer: Tokenizer): SamplesEvent {
  const bySource = new Map<string, TrainingRow[]>();
  for (let index = 0; index < Math.min(rows.length, lookedAt); index++) {
    const row = rows[index]!;
    const source = row.source ?? 'rows';
    const found = bySource.get(source) ?? [];
    if (found.length >= perSource || (found.length === 0 && bySource.size >= maxSources)) continue;
    bySource.set(source, [...found, row]);
  }
  return {
    type: 'samples',
    rows: [...bySource].flatMap(([source, found]) =>
      found.map(({ inputIds }) => ({
        source,
        text: tokenizer.decode(inputIds, { skipSpecialTokens: false }).slice(0, maxCharacters),
      })),
    ),
  };
}
