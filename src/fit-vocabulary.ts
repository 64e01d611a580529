import type { CausalLM } from './model/causal-lm.js';
import type { Tokenizer } from './tokenizer/tokenizer.js';

/**
 * Gives the model an embedding for every token of its tokenizer, where it has too few, and notes the tokenizer's padding
 * token in its config.json, as the Python package does. A vocabulary with room to spare stays as it is: that package would
 * cut it.
 *
 * @param seed of the new embeddings
 * @param onWarning told when the vocabulary grew
 */
export async function fitVocabulary(
  model: CausalLM,
  tokenizer: Tokenizer,
  seed: number,
  onWarning: (message: string) => void,
): Promise<void> {
  const { padTokenId, vocabSize } = tokenizer;
  const before = model.vocabSize;
  if (vocabSize > before) {
    await model.resizeTokenEmbeddings(vocabSize, { seed });
    onWarning(
      `The tokenizer of ${tokenizer.dir} has ${vocabSize} tokens (its padding token is ${padTokenId}) and the model had ` +
        `${before} embeddings; ${vocabSize - before} more ${vocabSize - before === 1 ? 'was' : 'were'} added, at the mean ` +
        `of the others.`,
    );
  }
  if (padTokenId !== null) model.config = { ...model.config, pad_token_id: padTokenId };
}
