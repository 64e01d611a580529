import type { CausalLM } from 'adaptive-trainer';

/** A sequence to score: the model's guesses for all tokens from `from` on are judged. */
export interface Scored {
  ids: number[];
  from: number;
}

export interface Score {
  /** Negative log-likelihood of the judged tokens, summed, in nats. */
  nll: number;
  tokens: number;
  /** True if every judged token is the model's first choice: greedy decoding would have written exactly this. */
  exact: boolean;
}

// Bounds the memory that logits take: 2,048 tokens of a 4,096-word vocabulary are 32 MiB.
const tokensPerCall = 2048;

/** −log p(id) under one row of logits, and whether no logit is greater. */
function judge(logits: Float32Array, id: number): { nll: number; first: boolean } {
  const chosen = logits[id] ?? -Infinity;
  let max = -Infinity;
  for (const logit of logits) if (logit > max) max = logit;
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - max);
  return { nll: max + Math.log(sum) - chosen, first: chosen === max };
}

/**
 * Scores sequences by teacher forcing: one forward pass answers for all of them what generating token by token
 * would take a pass per token to find out.
 */
export async function score(model: Pick<CausalLM, 'logits'>, sequences: Scored[]): Promise<Score[]> {
  const scores: Score[] = [];
  for (let start = 0; start < sequences.length;) {
    const batch: Scored[] = [];
    for (let tokens = 0, next; (next = sequences[start + batch.length]) !== undefined;) {
      if (batch.length > 0 && tokens + next.ids.length > tokensPerCall) break;
      batch.push(next);
      tokens += next.ids.length;
    }
    start += batch.length;
    const { data, shape } = await model.logits(batch.map(({ ids }) => ids));
    const vocab = shape[1] ?? 0;
    let row = 0; // of the packed logits: [tokens, vocab], sequence after sequence
    for (const { ids, from } of batch) {
      const result: Score = { nll: 0, tokens: ids.length - from, exact: true };
      for (let t = from; t < ids.length; t++) {
        const at = (row + t - 1) * vocab;
        const { nll, first } = judge(data.subarray(at, at + vocab), ids[t] ?? 0);
        result.nll += nll;
        result.exact &&= first;
      }
      row += ids.length;
      scores.push(result);
    }
  }
  return scores;
}
