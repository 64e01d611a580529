import type { CausalLM } from '../model/causal-lm.js';
import type { GenerateOptions } from '../model/generation/generate-options.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';

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

/** Text of token ids as they come. A character that spans tokens is held back until it is whole. */
class StreamedText {
  private readonly ids: number[] = [];
  private shown = '';

  constructor(private readonly decode: (ids: readonly number[]) => string) {}

  /** What `id` adds to the text that was given out. */
  push(id: number): string {
    this.ids.push(id);
    const text = this.decode(this.ids);
    // A decoder writes U+FFFD for bytes that do not make a character yet.
    return text.endsWith('\uFFFD') ? '' : this.show(text);
  }

  /** What was held back. */
  end(): string {
    return this.show(this.decode(this.ids));
  }

  /** All of it. */
  get text(): string {
    return this.decode(this.ids);
  }

  private show(text: string): string {
    const added = text.slice(this.shown.length);
    this.shown = text;
    return added;
  }
}
