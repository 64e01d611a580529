import { readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { describe, expect, test } from 'vitest';
import { openTokenFile } from '../../src/data/tokens/token-file.js';
import { tokenWord } from '../../src/data/tokens/token-word.js';
import { TokenWriter } from '../../src/data/tokens/token-writer.js';
import { writeFiles } from './write-files.js';

// 18 chunks of a million tokens: 72 MB, more than is kept in memory.
const chunk = (number: number) => ({
  words: new Uint32Array(1_000_000).fill(tokenWord.of(number, number % 2 === 0)),
  lengths: Uint32Array.of(300_000, 700_000),
  trained: Uint32Array.of(1, 2),
  ...{ tooLong: 0, shortestTooLong: Infinity, leastTooLong: Infinity, noTrainedToken: 0, remarks: [] },
});

describe('more tokens than are kept in memory', () => {
  test('are read from a file, which the cache finds again', async () => {
    const path = join(await writeFiles({}), 'deep', 'x.tokens');
    const writer = new TokenWriter(path);
    for (let number = 0; number < 18; number++) await writer.append(chunk(number));
    const rows = await writer.finish({ said: 'é' });
    const found = await openTokenFile(path);
    expect(found?.note).toEqual({ said: 'é' });
    for (const one of [rows, found!.rows]) {
      expect(one.length).toBe(36);
      const { inputIds, labels } = one.row(35);
      expect([inputIds.length, inputIds[0], inputIds.at(-1), labels[0]]).toEqual([700_000, 17, 17, -100]);
      expect(one.row(32).labels[299_999]).toBe(16);
    }
  });

  test.each([1, 2, 18])(
    'have the same digest in memory, in a file and from the cache: %i chunks',
    async (chunks) => {
      const path = join(await writeFiles({}), 'x.tokens');
      const digests = new Set<string>();
      for (const writer of [new TokenWriter(undefined), new TokenWriter(path)]) {
        for (let number = 0; number < chunks; number++) await writer.append(chunk(number));
        digests.add((await writer.finish({ chunks })).digest);
      }
      digests.add((await openTokenFile(path))!.rows.digest);
      expect([...digests]).toHaveLength(1);
      const other = new TokenWriter(undefined);
      for (let number = 0; number < chunks; number++) await other.append(chunk(number + 1));
      expect(digests).not.toContain((await other.finish(null)).digest);
    },
  );

  test('need no name on the disk without a cache', async () => {
    const ours = async () =>
      (await readdir(tmpdir())).filter((name) => name.startsWith(`adaptive-trainer-tokens-${process.pid}`));
    const writer = new TokenWriter(undefined);
    for (let number = 0; number < 18; number++) await writer.append(chunk(number));
    expect(await ours()).toHaveLength(1);
    const rows = await writer.finish(null);
    expect(rows.row(3).inputIds[5]).toBe(1);
    if (process.platform !== 'win32') expect(await ours()).toEqual([]);
    const dropped = new TokenWriter(undefined);
    for (let number = 0; number < 18; number++) await dropped.append(chunk(number));
    await dropped.discard();
    expect(await ours()).toEqual([]);
  });

  test.runIf(process.platform !== 'win32').each([1, 18])(
    'leave nothing behind where the cache cannot be written to: %i chunks',
    async (chunks) => {
      const file = join(await writeFiles({ file: '' }), 'file');
      const writer = new TokenWriter(join(file, 'x.tokens'));
      for (let number = 0; number < chunks; number++) await writer.append(chunk(number));
      expect((await writer.finish(null)).length).toBe(2 * chunks);
      const left = await readdir(tmpdir());
      expect(left.filter((name) => name.startsWith(`adaptive-trainer-tokens-${process.pid}`))).toEqual([]);
    },
  );
});

describe('a file of tokens', () => {
  test.each([
    ['with one byte changed', async (path: string) => flip(path, 1000)],
    ['with one byte of its index changed', async (path: string) => flip(path, -60)],
    ['cut short', async (path: string) => truncate(path, 5000)],
    ['empty', async (path: string) => truncate(path, 0)],
    ['of nonsense', async (path: string) => writeFile(path, Buffer.alloc(50_000, 0xff))],
  ])('%s is not taken', async (_, damage) => {
    const path = join(await writeFiles({}), 'x.tokens');
    const writer = new TokenWriter(path);
    await writer.append({
      ...chunk(3),
      words: new Uint32Array(20_000),
      lengths: Uint32Array.of(20_000),
      trained: Uint32Array.of(9),
    });
    await writer.finish({ read: 1 });
    expect((await openTokenFile(path))?.note).toEqual({ read: 1 });
    await damage(path);
    expect(await openTokenFile(path)).toBeUndefined();
  });

  test('that is not there', async () => {
    expect(await openTokenFile('/no/such/file.tokens')).toBeUndefined();
  });
});

async function flip(path: string, at: number): Promise<void> {
  const bytes = await readFile(path);
  bytes[at < 0 ? bytes.length + at : at]! ^= 1;
  await writeFile(path, bytes);
}

test('the largest token id', () => {
  const word = tokenWord.of(2 ** 31 - 1, true);
  expect([tokenWord.id(word), tokenWord.label(word), tokenWord.label(tokenWord.of(5, false))]).toEqual([
    2 ** 31 - 1,
    2 ** 31 - 1,
    -100,
  ]);
});
