import { isPlainObject } from '../common/is-plain-object.js';

interface Pad {
  token: string;
  id: number;
  /** Whether the vocabulary of the files lacks it. */
  isAdded: boolean;
}

/** The files of a tokenizer with a padding token in them. */
export const withPadToken = {
  /** The content of tokenizer.json, with the token in the vocabulary where it is an added one. */
  inTokenizer(tokenizer: Record<string, unknown>, pad: Pad | null): Record<string, unknown> {
    if (pad?.isAdded !== true) return tokenizer;
    const present = tokenizer['added_tokens'] as { content: string }[];
    const others = present.filter(({ content }) => content !== pad.token); // it is there when it was saved before
    return { ...tokenizer, added_tokens: [...others, { id: pad.id, ...entry(pad.token) }] };
  },

  /** The text of tokenizer_config.json, which lists added tokens once more where it lists any. */
  inConfig(configText: string, { token, id, isAdded }: Pad): string {
    const config = JSON.parse(configText) as Record<string, unknown>;
    const decoder = config['added_tokens_decoder'];
    const listed = isPlainObject(decoder) && isAdded ? { [id]: entry(token), ...decoder } : undefined;
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
