import { throwIfAborted } from '../../common/throw-if-aborted.js';
import type { InspectedRow, TokenJudgements, TokenOutcome } from '../../events/token-record.js';
import { tokenPieces } from '../../data/tokens/token-pieces.js';
import type { CausalLM } from '../../model/causal-lm.js';
import type { JudgedRow } from '../../model/judge-tokens.js';
import type { Tokenizer } from '../../tokenizer/tokenizer.js';
import type { ChosenRow } from './chosen-rows.js';

export interface JudgeRequest {
  model: CausalLM;
  tokenizer: Tokenizer;
  topK: number;
  signal?: AbortSignal | undefined;
  /** Rows. */
  onProgress?: ((done: number, total: number) => void | Promise<void>) | undefined;
}

const mostChoices = 5;

/** What the model makes of the trained tokens of each row, as it stands. */
export async function judgeRows(
  rows: readonly ChosenRow[],
  { model, tokenizer, topK, signal, onProgress }: JudgeRequest,
): Promise<TokenJudgements[]> {
  const found: TokenJudgements[] = [];
  const contents = rows.map(({ content }) => content);
  for await (const judged of model.judgeTokens(contents, { choices: mostChoices })) {
    throwIfAborted(signal, 'Stopped while rows were judged.');
    const { set, row, content } = rows[found.length]!;
    found.push({ set, row, ...judgements(judged, content.labels, tokenizer, topK) });
    await onProgress?.(found.length, rows.length);
  }
  return found;
}

/** The rows as text, beside which judgements stand. */
export function inspectedRow({ set, row, content }: ChosenRow, tokenizer: Tokenizer): InspectedRow {
  const { inputIds, labels, source = 'rows', learningStyle: style } = content;
  const trained = Array.from(labels.keys()).filter((at) => at > 0 && labels[at] !== -100);
  return { set, dataset: source, style, row, pieces: tokenPieces(tokenizer, inputIds), trained };
}

function judgements(
  { nll, probability, rank, positions, predicted, choices, choiceIds, choiceProbability }: JudgedRow,
  labels: ArrayLike<number>,
  tokenizer: Tokenizer,
  topK: number,
): Omit<TokenJudgements, 'set' | 'row'> {
  const at = Array.from(positions.keys());
  // As an evaluation counts them: of equally likely tokens one alone is the first choice.
  const outcome = (index: number): TokenOutcome => {
    if (predicted[index] === labels[positions[index]!]) return 0;
    return rank[index]! <= topK ? 1 : 2;
  };
  const choice = (place: number): [string, number][] => {
    const id = choiceIds[place]!;
    return id < 0 ? [] : [[tokenizer.alphabet.bytes(id).toString(), rounded(choiceProbability[place]!)]];
  };
  return {
    outcome: at.map(outcome),
    probability: at.map((index) => rounded(probability[index]!)),
    rank: [...rank],
    nll: at.map((index) => rounded(nll[index]!)),
    choices: at.map((index) =>
      Array.from({ length: choices }, (_, number) => choice(index * choices + number)).flat(),
    ),
  };
}

/** Four significant digits. */
function rounded(value: number): number {
  return Number(value.toPrecision(4));
}
