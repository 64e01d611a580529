import { readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { planDatasets } from '../../src/config/datasets/plan-datasets.js';
import type { DatasetTables } from '../../src/config/datasets/datasets-config.js';
import { TokenCache } from '../../src/data/tokens/token-cache.js';
import { tokenizerFingerprint } from '../../src/tokenizer/tokenizer-fingerprint.js';
import { Tokenizer } from '../../src/tokenizer/tokenizer.js';
import { copySeed, openTokenizer } from '../tokenizer/open-tokenizer.js';
import { questions, writeFiles } from './write-files.js';

const tokenizer = await openTokenizer('seed');

async function pathOf(file: string, tables: DatasetTables = {}, settings: unknown = 'x'): Promise<string> {
  const [plan] = planDatasets({ ideas: [file] }, tables, () => {});
  return new TokenCache(settings, '/cache').pathOfFiles(plan!, [file]);
}

test('an entry is found by the content of the files and what is made of it, not by where they are', async () => {
  const dir = await writeFiles({ 'a.jsonl': questions(5), 'b.jsonl': questions(5), 'c.jsonl': questions(6) });
  const file = join(dir, 'a.jsonl');
  const known = await pathOf(file);
  expect(await pathOf(join(dir, 'b.jsonl'))).toBe(known);
  const others = [
    await pathOf(join(dir, 'c.jsonl')),
    await pathOf(file, { systemPrompts: { ideas: 'Be brief.' } }),
    await pathOf(file, { datasetsKwargs: { [file]: { context_mode: true } } }),
    await pathOf(file, {}, 'y'),
    new TokenCache('x', '/cache').pathOfChats('abc'),
  ];
  expect(new Set([known, ...others]).size).toBe(6);
  await writeFile(join(dir, 'a.csv'), await readFile(file));
  expect(await pathOf(join(dir, 'a.csv'))).not.toBe(known); // the same bytes read as something else
});

test('the fingerprint of a tokenizer', async () => {
  const config = await readFile(join(tokenizer.dir, 'config.json'), 'utf8');
  const copied = await Tokenizer.fromPretrained(await copySeed({ 'config.json': config }));
  const known = await tokenizerFingerprint(tokenizer);
  expect(await tokenizerFingerprint(copied)).toBe(known);
  copied.ensurePadToken();
  const other = await Tokenizer.fromPretrained(await copySeed({ 'config.json': config }));
  other.chatTemplate = `{# another #}${other.chatTemplate}`;
  const dated = await Tokenizer.fromPretrained(await copySeed({ 'config.json': config }));
  dated.chatTemplate = `${dated.chatTemplate}{{ strftime_now('%d') }}`;
  const today = await tokenizerFingerprint(dated);
  expect(new Set([known, await tokenizerFingerprint(other), today]).size).toBe(3);
});

test('entries that were not used for a month go, and what a broken run left', async () => {
  const names = ['old.tokens', 'new.tokens', 'old.tokens.1-x.tmp', 'new.tokens.2-x.tmp'];
  const dir = await writeFiles(Object.fromEntries(names.map((name) => [name, ''])));
  const daysAgo = (days: number) => new Date(Date.now() - days * 86_400_000);
  for (const [index, days] of [31, 29, 2, 0.5].entries()) {
    await utimes(join(dir, names[index]!), daysAgo(days), daysAgo(days));
  }
  await new TokenCache('x', dir).prune();
  expect((await readdir(dir)).sort()).toEqual(['new.tokens', 'new.tokens.2-x.tmp']);
});
