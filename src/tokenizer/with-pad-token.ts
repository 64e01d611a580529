import { isPlainObject } from '../config/is-plain-object.js';

/** The files of a tokenizer with a padding token in them. */
export const withPadToken = {
  /** The content of tokenizer.json, with the token added to the vocabulary. */
  inTokenizer(tokenizer: Record<string, unknown>, token: string, id: number): Record<string, unknown> {
    const added = [...(tokenizer['added_tokens'] as unknown[]), { id, ...entry(token) }];
    return { ...tokenizer, added_tokens: added };
  },

  /** The text of tokenizer_config.json, which lists added tokens once more where it lists any. */
  inConfig(configText: string, token: string, id: number): string {
    const config = JSON.parse(configText) as Record<string, unknown>;
    const decoder = config['added_tokens_decoder'];
    const listed = isPlainObject(decoder) ? { [id]: entry(token), ...decoder } : undefined;
    const changed = {
      ...config,
      pad_token: token,
      ...(listed === undefined ? {} : { added_tokens_decoder: listed }),
    };
    // A number such as 10³⁰ (`model_max_length`, written out) comes back as 1e+30, which is the same to every reader.
    return `${JSON.stringify(changed, null, 2)}\n`;
  },
};

function entry(content: string) {
  return { content, lstrip: false, normalized: false, rstrip: false, single_word: false, special: true };
}
