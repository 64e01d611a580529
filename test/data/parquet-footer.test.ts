import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readParquet } from '../../src/data/read/read-parquet.js';
import { errorOf } from '../helpers/error-of.js';
import { tempDir } from '../helpers/temp-dir.js';

/** A file that is a footer alone. */
function parquetOf(footer: readonly number[]): string {
  const path = join(tempDir(), 'rows.parquet');
  const length = Buffer.alloc(4);
  length.writeUInt32LE(footer.length);
  writeFileSync(path, Buffer.concat([Buffer.from('PAR1'), Buffer.from(footer), length, Buffer.from('PAR1')]));
  return path;
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  for (; value > 127; value = Math.floor(value / 128)) bytes.push((value % 128) | 128);
  return [...bytes, value];
}

const list = 0x29; // the field's number is that of the one before plus 2, its kind is 9
const longList = (kind: number, size: number) => [0xf0 | kind, ...varint(size)];

describe('a footer that declares what is not there', () => {
  it.each([
    // A reader that makes room for what is announced takes gigabytes for these.
    [
      'a list of millions',
      [list, ...longList(12, 33_000_000)],
      /declares 33000000 values where 0 bytes are left/,
    ],
    [
      'lists of millions in each other',
      [list, ...Array.from({ length: 200 }, () => longList(9, 33_000_000)).flat(), 0],
      /declares 33000000 values/,
    ],
    ['lists of one in each other', [list, ...Array<number>(500).fill(0x19), 0], /nested more than 32 deep/],
    ['structures in each other', Array<number>(500).fill(0x1c), /nested more than 32 deep/],
    ['a text longer than the file', [0x18, ...varint(2 ** 31)], /ends \d+ bytes early/],
    ['a number that does not end', [0x15, ...Array<number>(40).fill(0xff)], /too many digits/],
    ['a kind that there is none of', [0x1e, 0], /an unknown kind \(14\)/],
    ['nothing', [], /ends 1 bytes early/],
  ])('%s', async (_, footer, message) => {
    const error = await errorOf(async () => {
      for await (const _row of readParquet(parquetOf(footer)));
    }, 'DATASET_INVALID');
    expect(error.message).toMatch(message);
    expect(error.message).toMatch(/Fetch or write the file again/);
  });
});
