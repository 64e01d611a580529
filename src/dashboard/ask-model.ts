import { expectInput } from '../common/expect-input.js';
import { isPlainObject } from '../common/is-plain-object.js';
import { AdaptiveTrainerError } from '../errors.js';
import type { CausalLM } from '../model/causal-lm.js';
import { promptIds } from '../tokenizer/encode/prompt-ids.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';

/** Tokens of an answer, at most: the run waits for it. */
const maxNewTokens = 256;

/** Returns the prompt of what a page asked. @throws AdaptiveTrainerError INVALID_INPUT for anything but a text */
export function promptOf(body: unknown): string {
  const prompt = isPlainObject(body) ? body['prompt'] : undefined;
  expectInput(typeof prompt === 'string' && prompt.trim() !== '', 'prompt', 'a text', prompt);
  return prompt as string;
}

/**
 * What a model answers, greedily: to a message where there is a chat template, otherwise how it goes on with the text.
 * @throws AdaptiveTrainerError INVALID_INPUT without a tokenizer; ABORTED
 */
export async function askModel(
  model: CausalLM,
  tokenizer: Tokenizer | undefined,
  prompt: string,
  signal: AbortSignal,
): Promise<string> {
  if (tokenizer === undefined) {
    const message =
      'Expected a trainer with a tokenizer to ask its model, found none. Give it to the AdaptiveTrainer: new AdaptiveTrainer({ tokenizer, … }).';
    throw new AdaptiveTrainerError('INVALID_INPUT', message);
  }
  const ids = promptIds(
    tokenizer,
    tokenizer.chatTemplate === null ? prompt : [{ role: 'user', content: prompt }],
  );
  return tokenizer.decode(await model.generate(ids, { maxNewTokens, signal }).collect());
}
