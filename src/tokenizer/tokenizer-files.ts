import { readFileSync, statSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { boundedJson, withinLimit } from '../common/bounded-json.js';
import { isPlainObject } from '../common/is-plain-object.js';
import { AdaptiveTrainerError } from '../errors.js';

/** What a folder of a Hugging Face model says about its tokenizer, read but not interpreted. */
export interface TokenizerFiles {
  config: Record<string, unknown>;
  /** The text of tokenizer_config.json, to write it back without touching what was not changed. */
  configText: string;
  specialTokensMap: Record<string, unknown>;
  /** `model_type` of config.json, where there is one. */
  modelType: string | undefined;
  chatTemplate: { source: string; origin: string } | undefined;
}

/**
 * Reads the tokenizer's files of a folder, but for tokenizer.json, which is large and not kept.
 *
 * @throws AdaptiveTrainerError `TOKENIZER_INVALID` when tokenizer_config.json is missing, or a file is not what it should
 * be
 */
export async function readTokenizerFiles(dir: string): Promise<TokenizerFiles> {
  const configText = await read(dir, 'tokenizer_config.json');
  if (configText === undefined) throw missing(dir, 'tokenizer_config.json');
  const config = parse(dir, 'tokenizer_config.json', configText);
  const mapText = await read(dir, 'special_tokens_map.json');
  const modelText = await read(dir, 'config.json');
  const modelType = modelText === undefined ? undefined : parse(dir, 'config.json', modelText)['model_type'];
  return {
    config,
    configText,
    specialTokensMap: mapText === undefined ? {} : parse(dir, 'special_tokens_map.json', mapText),
    modelType: typeof modelType === 'string' ? modelType : undefined,
    chatTemplate: await findChatTemplate(dir, config),
  };
}

/**
 * Reads tokenizer.json of a folder.
 *
 * @throws AdaptiveTrainerError `TOKENIZER_INVALID` when it is missing or is not what it should be
 */
export function readTokenizerJson(dir: string): Record<string, unknown> {
  let text: string;
  try {
    const path = join(dir, 'tokenizer.json');
    withinLimit('bytes', statSync(path).size, 'bytes', path, 'TOKENIZER_INVALID');
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    if (AdaptiveTrainerError.isInstance(cause)) throw cause;
    throw isMissing(cause) ? missing(dir, 'tokenizer.json') : unreadable(join(dir, 'tokenizer.json'), cause);
  }
  return checkShape(dir, parse(dir, 'tokenizer.json', text));
}

/** A template in a file of its own goes before one in tokenizer_config.json, as in transformers. */
async function findChatTemplate(
  dir: string,
  config: Record<string, unknown>,
): Promise<TokenizerFiles['chatTemplate']> {
  const jinja = await read(dir, 'chat_template.jinja');
  if (jinja !== undefined) return { source: jinja, origin: join(dir, 'chat_template.jinja') };
  const json = await read(dir, 'chat_template.json');
  const inJson = json === undefined ? undefined : parse(dir, 'chat_template.json', json)['chat_template'];
  for (const [file, value] of [
    ['chat_template.json', inJson],
    ['tokenizer_config.json', config['chat_template']],
  ] as const) {
    if (value === undefined || value === null) continue;
    const source = pickTemplate(value);
    if (source !== undefined) return { source, origin: join(dir, file) };
    throw invalid(
      dir,
      file,
      'a chat_template that is a string, or a list of { name, template } with one named "default"',
    );
  }
  return undefined;
}

/** Models with several templates list them by name; `default` is the one for chats. */
function pickTemplate(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (Array.isArray(value)) {
    const named = value.filter(isPlainObject).find((entry) => entry['name'] === 'default');
    return typeof named?.['template'] === 'string' ? named['template'] : undefined;
  }
  return isPlainObject(value) && typeof value['default'] === 'string' ? value['default'] : undefined;
}

function checkShape(dir: string, tokenizer: Record<string, unknown>): Record<string, unknown> {
  if (!isPlainObject(tokenizer['model'])) throw invalid(dir, 'tokenizer.json', 'an object "model"');
  const added = tokenizer['added_tokens'] ?? [];
  const isToken = (value: unknown) =>
    isPlainObject(value) && isId(value['id']) && typeof value['content'] === 'string';
  if (!Array.isArray(added) || !added.every(isToken)) {
    throw invalid(dir, 'tokenizer.json', '"added_tokens": a list of { id, content, … }');
  }
  checkIds(dir, tokenizer['model'], added as { id: number }[]);
  checkLongestWord(dir, tokenizer['model']);
  const parts = ['normalizer', 'pre_tokenizer', 'post_processor', 'decoder'].map((key) => [
    key,
    tokenizer[key] ?? null,
  ]);
  return { ...tokenizer, ...Object.fromEntries(parts), added_tokens: added };
}

/** Splitting a word takes time with the cube of its length; published tokenizers stop at 100 or 200 characters. */
const longestWord = 500;

function checkLongestWord(dir: string, model: Record<string, unknown>): void {
  const length = model['max_input_chars_per_word'] ?? 100;
  if (typeof length === 'number' && Number.isInteger(length) && length >= 0 && length <= longestWord) return;
  throw invalid(dir, 'tokenizer.json', `"max_input_chars_per_word": a whole number up to ${longestWord}`);
}

/** The embeddings of a model get a row for every id up to the largest. */
function checkIds(dir: string, { vocab }: Record<string, unknown>, added: readonly { id: number }[]): void {
  const ids: unknown[] = isPlainObject(vocab) ? Object.values(vocab) : [];
  if (!ids.every(isId)) throw invalid(dir, 'tokenizer.json', 'ids that are whole numbers in the vocabulary');
  if (Array.isArray(vocab) && !vocab.every(isPiece))
    throw invalid(dir, 'tokenizer.json', 'a vocabulary of [token, score] in a list');
  let largest = Array.isArray(vocab) ? vocab.length - 1 : -1;
  for (const id of ids as number[]) largest = Math.max(largest, id);
  for (const { id } of added) largest = Math.max(largest, id);
  const path = join(dir, 'tokenizer.json');
  withinLimit('vocabulary', largest + 1, 'ids of tokens', path, 'TOKENIZER_INVALID');
}

/** An entry of a Unigram vocabulary. */
function isPiece(value: unknown): boolean {
  return Array.isArray(value) && typeof value[0] === 'string' && typeof value[1] === 'number';
}

function isId(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** The text of a file, or undefined where there is none. */
async function read(dir: string, name: string): Promise<string | undefined> {
  try {
    const path = join(dir, name);
    withinLimit('bytes', (await stat(path)).size, 'bytes', path, 'TOKENIZER_INVALID');
    return await readFile(path, 'utf8');
  } catch (cause) {
    if (AdaptiveTrainerError.isInstance(cause)) throw cause;
    if (isMissing(cause)) return undefined;
    throw unreadable(join(dir, name), cause);
  }
}

function isMissing(cause: unknown): boolean {
  return ['ENOENT', 'ENOTDIR'].includes((cause as NodeJS.ErrnoException).code ?? '');
}

function unreadable(path: string, cause: unknown): AdaptiveTrainerError {
  return new AdaptiveTrainerError('IO_FAILED', `Could not read ${path}: ${String(cause)}`, {
    details: { path },
    cause,
  });
}

function parse(dir: string, name: string, text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = boundedJson(text, join(dir, name), 'TOKENIZER_INVALID');
  } catch (cause) {
    if (AdaptiveTrainerError.isInstance(cause)) throw cause;
    throw invalid(dir, name, 'valid JSON', cause);
  }
  if (!isPlainObject(value)) throw invalid(dir, name, 'a JSON object');
  return value;
}

function missing(dir: string, name: string): AdaptiveTrainerError {
  return new AdaptiveTrainerError(
    'TOKENIZER_INVALID',
    `Expected ${name} in ${dir} but found no such file. A model folder needs tokenizer.json and tokenizer_config.json; ` +
      `from a model that has only vocab.json, merges.txt or tokenizer.model, transformers makes them: ` +
      `AutoTokenizer.from_pretrained(dir).save_pretrained(dir).`,
    { details: { path: join(dir, name) } },
  );
}

function invalid(dir: string, name: string, expected: string, cause?: unknown): AdaptiveTrainerError {
  const found = cause instanceof Error ? `: ${cause.message}` : '';
  return new AdaptiveTrainerError(
    'TOKENIZER_INVALID',
    `Expected ${expected} in ${join(dir, name)} but found something else${found}. Download the model's files again.`,
    { details: { path: join(dir, name), expected }, cause },
  );
}
