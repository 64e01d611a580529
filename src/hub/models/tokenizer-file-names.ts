/** The files that a transformers tokenizer may consist of, beside `tokenizer_config.json`. */
export const ownTokenizerFiles: readonly string[] = [
  'tokenizer.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'chat_template.jinja',
  'chat_template.json',
  'vocab.json',
  'merges.txt',
  'vocab.txt',
  'tokenizer.model',
  'spiece.model',
];

/**
 * The files of a model's repository that its tokenizer is made of; `config.json` tells what kind of model it is,
 * and `adapter_config.json` whose the tokenizer is where an adapter has none.
 */
export const tokenizerFileNames: readonly string[] = [
  'config.json',
  'adapter_config.json',
  'tokenizer_config.json',
  ...ownTokenizerFiles,
];
