import { throwIfAborted } from '../common/throw-if-aborted.js';
import type { Duplicates } from '../events/inspect-report.js';
import type { TrainingRow } from '../events/training-row.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import { answerOf, findingOf } from './excerpt.js';
import { NearTexts } from './near-texts.js';
import { stopped } from './open-for-judging.js';

/** Rows of one dataset. */
export interface DatasetRows {
  train: readonly TrainingRow[];
  eval: readonly TrainingRow[];
}

/** What a row is recognised by. */
interface Known {
  exact: Set<string>;
  near: NearTexts;
}

/**
 * Finds rows that are there more than once: in the training rows of each dataset, and in the evaluation rows of each, which no training row
 * should be among. Lets timers of the process go on.
 */
export async function findDuplicates(
  datasets: readonly DatasetRows[],
  tokenizer: Tokenizer,
  signal: AbortSignal | undefined,
): Promise<Duplicates[]> {
  const everywhere: Known = { exact: new Set(), near: new NearTexts() };
  const within: Pick<Duplicates, 'rows' | 'exact' | 'near'>[] = [];
  const pause = pauses(signal);
  for (const { train } of datasets) {
    const own: Known = { exact: new Set(), near: new NearTexts() };
    const again: Record<'exact' | 'near', { row: TrainingRow }[]> = { exact: [], near: [] };
    for (const row of train) {
      await pause();
      const keys = keysOf(row, tokenizer);
      const kind = kindOf(keys, own);
      if (kind !== undefined) again[kind].push({ row });
      for (const known of [own, everywhere]) {
        known.exact.add(keys.exact);
        known.near.add(keys.text);
      }
    }
    const finding = (kind: 'exact' | 'near') => findingOf(again[kind], train.length, tokenizer);
    within.push({ rows: train.length, exact: finding('exact'), near: finding('near') });
  }
  const all: Duplicates[] = [];
  for (const [at, { eval: rows }] of datasets.entries()) {
    const leaked: Record<'exact' | 'near', { row: TrainingRow }[]> = { exact: [], near: [] };
    for (const row of rows) {
      await pause();
      const kind = kindOf(keysOf(row, tokenizer), everywhere);
      if (kind !== undefined) leaked[kind].push({ row });
    }
    const finding = (kind: 'exact' | 'near') => findingOf(leaked[kind], rows.length, tokenizer);
    all.push({
      ...within[at]!,
      ...{ evalRows: rows.length, leaked: finding('exact'), leakedNear: finding('near') },
    });
  }
  return all;
}

/** Rows of a dataset whose prompt stands in it again with another answer. */
export function contradictions(rows: readonly TrainingRow[]): { row: TrainingRow }[] {
  const answers = new Map<string, Set<string>>();
  const keyed = rows.map((row) => {
    const { begin, ids } = answerOf(row);
    const prompt = begin > 1 ? Array.from(row.inputIds).slice(0, begin).join() : undefined;
    if (prompt !== undefined) answers.set(prompt, (answers.get(prompt) ?? new Set()).add(ids.join()));
    return { row, prompt };
  });
  return keyed.filter(({ prompt }) => prompt !== undefined && answers.get(prompt)!.size > 1);
}

function keysOf({ inputIds }: TrainingRow, tokenizer: Tokenizer): { exact: string; text: string } {
  return { exact: inputIds.join(), text: tokenizer.decode(inputIds) };
}

function kindOf(
  { exact, text }: { exact: string; text: string },
  known: Known,
): 'exact' | 'near' | undefined {
  if (known.exact.has(exact)) return 'exact';
  return known.near.has(text) ? 'near' : undefined;
}

/** Returns what lets the process breathe every now and then. */
function pauses(signal: AbortSignal | undefined): () => Promise<void> {
  let last = performance.now();
  return async () => {
    if (performance.now() - last < 20) return;
    await new Promise((resolve) => setImmediate(resolve));
    throwIfAborted(signal, stopped);
    last = performance.now();
  };
}
