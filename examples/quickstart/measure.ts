import type { CausalLM, Tokenizer } from 'adaptive-trainer';
import { score, type Score, type Scored } from './score.js';
import type { Example, WordNetTasks } from './wordnet.js';

/** Texts and chats from before the fine-tuning, to see what it costs. */
export interface HeldOut {
  text: string[];
  chats: string[];
}

export interface Measures {
  /** Share of held-out nouns whose kind greedy decoding gets exactly right, end of turn included. */
  categoryAccuracy: number;
  /** Nats per token of the answer, for held-out definitions. */
  definitionNll: number;
  /** Nats per token of running text and of chats that have nothing to do with the tasks: rises with forgetting. */
  textNll: number;
  chatNll: number;
}

type Scorer = Pick<CausalLM, 'logits'>;
type Encoder = Pick<Tokenizer, 'encode' | 'renderChat' | 'eosTokenId'>;

/** Token ids up to where the assistant answers. */
export function promptIds(tokenizer: Encoder, user: string): number[] {
  return tokenizer.encode(
    tokenizer.renderChat([{ role: 'user', content: user }], { addGenerationPrompt: true }),
  );
}

/** Scores the answers to questions, end of turn included. */
export function scoreChats(
  model: Scorer,
  tokenizer: Encoder,
  chats: readonly Pick<Example, 'user' | 'assistant'>[],
): Promise<Score[]> {
  const row = ({ user, assistant }: Pick<Example, 'user' | 'assistant'>): Scored => {
    const prompt = promptIds(tokenizer, user);
    return {
      ids: [...prompt, ...tokenizer.encode(assistant), tokenizer.eosTokenId ?? 0],
      from: prompt.length,
    };
  };
  return score(model, chats.map(row));
}

/** Scores all tokens of texts but the first. */
export function scoreTexts(model: Scorer, tokenizer: Encoder, texts: readonly string[]): Promise<Score[]> {
  return score(
    model,
    texts.map((text) => ({ ids: tokenizer.encode(text), from: 1 })),
  );
}

/** Nats per token. */
export function perToken(scores: readonly Score[]): number {
  return scores.reduce((sum, { nll }) => sum + nll, 0) / scores.reduce((sum, { tokens }) => sum + tokens, 0);
}

/** What the model knows of both tasks and of what it was trained on before. Takes a few seconds. */
export async function measure(
  model: CausalLM,
  tokenizer: Tokenizer,
  tasks: WordNetTasks,
  heldOut: HeldOut,
): Promise<Measures> {
  const categories = await scoreChats(model, tokenizer, tasks.categories.heldOut);
  return {
    categoryAccuracy: categories.filter(({ exact }) => exact).length / categories.length,
    definitionNll: perToken(await scoreChats(model, tokenizer, tasks.definitions.heldOut)),
    textNll: perToken(await scoreTexts(model, tokenizer, heldOut.text)),
    chatNll: perToken(await scoreTexts(model, tokenizer, heldOut.chats)),
  };
}
