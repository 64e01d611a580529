import { AdaptiveTrainerError } from '../../errors.js';
import type { Tokenizer } from '../../tokenizer/tokenizer.js';
import type { CausalLM } from '../causal-lm.js';

const marker = 'Ask.';

/**
 * The tokens that a text of the model's own begins with: its BOS, or `<|endoftext|>`, which stands between the texts that
 * models without one were made from; else what its chat template has before the first thing that a user says.
 *
 * @throws AdaptiveTrainerError INVALID_INPUT for a model that has none of these
 */
export function textStart(model: CausalLM, tokenizer: Tokenizer | undefined): number[] {
  const known = [tokenizer?.bosTokenId, model.config['bos_token_id'], tokenizer?.tokenToId('<|endoftext|>')];
  const id = known.find((one): one is number => typeof one === 'number' && one < model.vocabSize);
  if (id !== undefined) return [id];
  const ofTemplate = tokenizer === undefined ? [] : templateStart(tokenizer);
  if (ofTemplate.length > 0) return ofTemplate;
  const end = tokenizer?.eosTokenId ?? model.eosTokenIds[0];
  if (end !== undefined) return [end];
  throw new AdaptiveTrainerError(
    'INVALID_INPUT',
    `Expected a token that texts begin with, so that the base model can write some, found neither a BOS nor an ` +
      `end-of-text token nor a chat template in ${tokenizer?.dir ?? model.dir}. Give retention a source of your own: a dataset of texts or chats; evalForgetting needs such a token.`,
  );
}

/** Empty where there is no template, or it refuses a plain chat. */
function templateStart(tokenizer: Tokenizer): number[] {
  if (tokenizer.chatTemplate === null) return [];
  try {
    const text = tokenizer.renderChat([{ role: 'user', content: marker }]);
    const at = text.indexOf(marker);
    return at > 0 ? tokenizer.encode(text.slice(0, at)) : [];
  } catch (error) {
    if (AdaptiveTrainerError.isInstance(error, 'CHAT_TEMPLATE_FAILED')) return [];
    throw error;
  }
}
