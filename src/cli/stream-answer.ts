import type { CausalLM } from '../model/causal-lm.js';
import type { GenerateOptions } from '../model/generation/generate-options.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import { StreamedText } from './streamed-text.js';

/** Writes what the model makes of a prompt to `write` as it comes, and resolves to all of it. */
export async function streamAnswer(
  model: CausalLM,
  tokenizer: Tokenizer,
  promptIds: readonly number[],
  options: GenerateOptions,
  write: (text: string) => void,
): Promise<string> {
  const answer = new StreamedText((ids) => tokenizer.decode(ids));
  for await (const id of model.generate(promptIds, options)) write(answer.push(id));
  write(answer.end());
  return answer.text;
}
