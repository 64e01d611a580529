import type { CausalLM, Tokenizer } from 'adaptive-trainer';
import { promptIds } from './measure.js';

/** The model's answer to a question, by greedy decoding. */
export async function ask(model: CausalLM, tokenizer: Tokenizer, question: string): Promise<string> {
  const end = tokenizer.eosTokenId;
  const answer = await model
    .generate(promptIds(tokenizer, question), {
      maxNewTokens: 32,
      temperature: 0,
      stopTokenIds: end === null ? [] : [end],
    })
    .collect();
  return tokenizer.decode(answer).trim();
}
