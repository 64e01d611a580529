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

/** Token ids up to where the assistant answers. */
export function promptIds(tokenizer: Tokenizer, user: string): number[] {
  return tokenizer.encode(
    tokenizer.renderChat([{ role: 'user', content: user }], { addGenerationPrompt: true }),
  );
}

function chatRow(tokenizer: Tokenizer, { user, assistant }: Example): Scored {
  const prompt = promptIds(tokenizer, user);
  return { ids: [...prompt, ...tokenizer.encode(assistant), tokenizer.eosTokenId ?? 0], from: prompt.length };
}

const perToken = (scores: Score[]) =>
  scores.reduce((sum, { nll }) => sum + nll, 0) / scores.reduce((sum, { tokens }) => sum + tokens, 0);

/** What the model knows of both tasks and of what it was trained on before. Takes a few seconds. */
export async function measure(
  model: CausalLM,
  tokenizer: Tokenizer,
  tasks: WordNetTasks,
  heldOut: HeldOut,
): Promise<Measures> {
  const asked = (examples: Example[]) =>
    score(
      model,
      examples.map((example) => chatRow(tokenizer, example)),
    );
  const read = (texts: string[]) =>
    score(
      model,
      texts.map((text) => ({ ids: tokenizer.encode(text), from: 1 })),
    );
  const categories = await asked(tasks.categories.heldOut);
  return {
    categoryAccuracy: categories.filter(({ exact }) => exact).length / categories.length,
    definitionNll: perToken(await asked(tasks.definitions.heldOut)),
    textNll: perToken(await read(heldOut.text)),
    chatNll: perToken(await read(heldOut.chats)),
  };
}
