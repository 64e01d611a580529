import { isPlainObject } from '../common/is-plain-object.js';
import type { TokenizerFiles } from './tokenizer-files.js';

const names = ['bos_token', 'eos_token', 'unk_token', 'sep_token', 'pad_token', 'cls_token', 'mask_token'];

// What transformers' tokenizer classes assume when the files do not say: gpt2's tokenizer_config.json has none.
const classDefaults: Record<string, Record<string, string>> = {
  GPT2Tokenizer: { bos_token: '<|endoftext|>', eos_token: '<|endoftext|>', unk_token: '<|endoftext|>' },
  Qwen2Tokenizer: { eos_token: '<|endoftext|>', unk_token: '<|endoftext|>', pad_token: '<|endoftext|>' },
  LlamaTokenizer: { bos_token: '<s>', eos_token: '</s>', unk_token: '<unk>' },
  GemmaTokenizer: { bos_token: '<bos>', eos_token: '<eos>', unk_token: '<unk>', pad_token: '<pad>' },
};
const classOfModel: Record<string, string> = {
  gpt2: 'GPT2Tokenizer',
  qwen2: 'Qwen2Tokenizer',
  qwen3: 'Qwen2Tokenizer',
};

/**
 * The named special tokens (`bos_token`, `eos_token`, …) of a tokenizer, as transformers finds them. One that it does
 * not have is absent. An explicit null in a file counts as "has none".
 */
export function specialTokens(
  files: TokenizerFiles,
  inVocabulary: (token: string) => boolean,
): Record<string, string> {
  const { config, specialTokensMap } = files;
  // Files that list added_tokens_decoder are complete; for older ones special_tokens_map.json has the last word.
  const sources =
    config['added_tokens_decoder'] === undefined ? [specialTokensMap, config] : [config, specialTokensMap];
  const declared = config['tokenizer_class'];
  const className =
    typeof declared === 'string' ? declared.replace(/Fast$/, '') : classOfModel[files.modelType ?? ''];
  const defaults = classDefaults[className ?? ''] ?? {};
  const found: Record<string, string> = {};
  for (const name of names) {
    const source = sources.find((candidate) => candidate[name] !== undefined);
    if (source !== undefined) {
      const token = tokenText(source[name]);
      if (token !== undefined) found[name] = token;
    } else if (defaults[name] !== undefined && inVocabulary(defaults[name])) {
      found[name] = defaults[name];
    }
  }
  return found;
}

/** A token is written as a string or as an object with its text in `content`. */
function tokenText(value: unknown): string | undefined {
  const text = isPlainObject(value) ? value['content'] : value;
  return typeof text === 'string' ? text : undefined;
}
