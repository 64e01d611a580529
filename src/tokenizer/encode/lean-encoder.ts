import { Tokenizer as Encoder } from '@huggingface/tokenizers';
import { addByteFallback, checkByteFallback } from './byte-fallback.js';
import { ignoredParts } from './ignored-parts.js';
import { addCharsmaps } from './precompiled-charsmap.js';

/**
 * An encoder that has let go of what it needed only to be made: the parsed tokenizer.json, and of a BPE model the list of
 * merges, which it also has by rank. That is about half of the memory that it takes, in each thread that encodes. What the
 * library passes over is added (byte fallback of Unigram, character maps) or refused.
 *
 * @throws Error when the library cannot run this tokenizer, or would run it otherwise than Python does
 */
export function leanEncoder(tokenizer: Record<string, unknown>, config: Record<string, unknown>): Encoder {
  const ignored = ignoredParts(tokenizer);
  if (ignored.length > 0)
    throw new Error(`it ignores ${ignored.join(' and ')}, so its ids would not be Python's`);
  const encoder = new Encoder(tokenizer, config);
  const modelConfig = tokenizer['model'] as Record<string, unknown>;
  addByteFallback(encoder, modelConfig);
  addCharsmaps(encoder);
  checkByteFallback(encoder, modelConfig);
  const { model } = encoder;
  letGo(encoder, 'tokenizer');
  if (model !== null && 'merges' in model) {
    letGo(model, 'merges');
    letGo(model, 'config');
  }
  return encoder;
}

/** Should the library come to need it later, that must be an error and not another encoding. */
function letGo(owner: object, key: string): void {
  Object.defineProperty(owner, key, {
    get: () => {
      throw new Error(`${key} was let go of after the tokenizer was made`);
    },
  });
}
