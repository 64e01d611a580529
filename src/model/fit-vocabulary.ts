import type { CausalLM } from './causal-lm.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';

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
  if (vocabSize > model.vocabSize) await model.resizeTokenEmbeddings(vocabSize, { seed });
  if (model.resized && model.vocabSize === vocabSize) {
    onWarning(
      `The tokenizer of ${tokenizer.dir} has ${vocabSize} tokens (its padding token is ${padTokenId}), more than the model ` +
        'had embeddings: the new ones begin at the mean of the others.',
    );
  }
  if (padTokenId !== null) model.config = { ...model.config, pad_token_id: padTokenId };
}
