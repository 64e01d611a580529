/** The files of a model's repository that its tokenizer is made of; `config.json` tells what kind of model it is. */
export const tokenizerFileNames: readonly string[] = [
  ...['config.json', 'tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json'],
  ...['added_tokens.json', 'chat_template.jinja', 'chat_template.json'],
  ...['vocab.json', 'merges.txt', 'vocab.txt', 'tokenizer.model', 'spiece.model'],
];
