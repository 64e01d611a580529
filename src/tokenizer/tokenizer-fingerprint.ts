import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { strftime } from './jinja/strftime.js';
import type { Tokenizer } from './tokenizer.js';

const files = ['tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json', 'config.json'];

/** A hash of everything that decides which ids a chat becomes: the tokenizer's files, its template, its padding token. */
export async function tokenizerFingerprint(tokenizer: Tokenizer): Promise<string> {
  const hash = createHash('sha256');
  for (const name of files) {
    const content = await readFile(join(tokenizer.dir, name)).catch(() => Buffer.alloc(0));
    hash.update(`${name} ${content.length}\n`).update(content);
  }
  const template = tokenizer.chatTemplate ?? '';
  hash.update(JSON.stringify([template, tokenizer.recipe.ownPad]));
  // Some templates write the day into the system prompt.
  if (template.includes('strftime_now')) hash.update(strftime(new Date(), '%Y-%m-%d'));
  return hash.digest('hex');
}
