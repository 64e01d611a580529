import { throwIfAborted } from '../../common/throw-if-aborted.js';
import type { CausalLM } from '../../model/causal-lm.js';
import type { Tokenizer } from '../../tokenizer/tokenizer.js';
import type { ChosenRow } from './chosen-rows.js';

/** A held-out row whose answer is asked for. */
export interface AskedRow {
  dataset: string;
  /** What the model goes on from. */
  promptIds: number[];
  /** The prompt as the model gets it, and what the row has after it. */
  prompt: string;
  expected: string;
}

const mostAsked = 6;
const mostTokens = 64;
const longestPrompt = 1024;

/** Some of the rows, of each dataset in turn: up to where their first trained token stands, or a third of a row that is trained whole. */
export function askedRows(rows: readonly ChosenRow[], tokenizer: Tokenizer): AskedRow[] {
  const byDataset = new Map<string, AskedRow[]>();
  for (const { set, content } of rows) {
    const dataset = content.source ?? 'rows';
    const asked = byDataset.get(dataset) ?? [];
    if (set !== 'eval' || asked.length >= mostAsked) continue;
    const { inputIds, labels } = content;
    const ids = Array.from(inputIds);
    const first = labels.findIndex((label, at) => at > 0 && label !== -100);
    const begin = first > 1 ? first : Math.ceil(ids.length / 3);
    if (begin >= ids.length || begin > longestPrompt) continue;
    const stop = labels.findIndex((label, at) => at >= begin && label === -100);
    const promptIds = ids.slice(0, begin);
    asked.push({
      dataset,
      promptIds,
      prompt: tokenizer.decode(promptIds, { skipSpecialTokens: false }),
      expected: tokenizer.decode(ids.slice(begin, stop < 0 ? ids.length : stop)).trimEnd(),
    });
    byDataset.set(dataset, asked);
  }
  const lists = [...byDataset.values()];
  return Array.from({ length: mostAsked }, (_, at) => lists.flatMap((list) => list[at] ?? []))
    .flat()
    .slice(0, mostAsked);
}

/** What the model answers as it stands, always by its first choice; up to 64 tokens. */
export async function answersOf(
  model: CausalLM,
  tokenizer: Tokenizer,
  asked: readonly AskedRow[],
  signal: AbortSignal | undefined,
): Promise<string[]> {
  if (asked.length === 0) return [];
  throwIfAborted(signal, 'Stopped while rows were judged.');
  const longest = Math.max(...asked.map(({ promptIds }) => promptIds.length));
  const { maxPositions } = model.decoder;
  const room = maxPositions > 0 ? maxPositions - longest : mostTokens;
  if (room < 1) return asked.map(() => '');
  const prompts = asked.map(({ promptIds }) => promptIds);
  const options = { maxNewTokens: Math.min(mostTokens, room), temperature: 0, ...(signal && { signal }) };
  const written = await model.generateBatch(prompts, options).collect();
  return written.map((ids) => tokenizer.decode(ids));
}
