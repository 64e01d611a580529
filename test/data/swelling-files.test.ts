import { gzipSync } from 'node:zlib';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { runChild } from '../helpers/run-child.js';
import { writeFiles } from './write-files.js';

const mebibyte = 1 << 20;
const large = gzipSync('x'.repeat(64 * mebibyte), { level: 1 });
/** A gzip file of some kilobytes that holds `start`, a gibibyte of x, and `end`. */
const packed = (start: string, end: string) =>
  Buffer.concat([gzipSync(start), ...Array<Buffer>(16).fill(large), gzipSync(end)]);

/** A Zstandard frame: a window, then blocks that repeat one byte 128 KiB times each (RFC 8878, 3.1.1). */
function zstd(windowExponent: number, blocks: number): Buffer {
  const repeat = (isLast: boolean) => {
    const header = ((1 << 17) << 3) | (1 << 1) | (isLast ? 1 : 0);
    return Buffer.from([header & 0xff, (header >> 8) & 0xff, header >> 16, 0x78]);
  };
  const head = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, (windowExponent - 10) << 3]);
  return Buffer.concat([head, ...Array.from({ length: blocks }, (_, index) => repeat(index === blocks - 1))]);
}

const files = {
  'line.jsonl.gz': packed('{"question":"', '","answer":"a"}\n{"question":"q","answer":"a"}\n'),
  'element.json.gz': packed('[{"question":"', '"},{"question":"q","answer":"a"}]'),
  'cell.csv.gz': packed('question,answer\n', ',a\nq,a\n'),
  'quoted.csv.gz': packed('question,answer\n"', '",a\nq,a\n'),
  'columns.csv': `${Array.from({ length: 100_000 }, (_, index) => `c${index}`).join(',')}\n1\n`,
  'deep.jsonl': `${'['.repeat(8 * mebibyte)}\n`,
  'deep-objects.jsonl': `${'{"a":'.repeat(mebibyte)}\n{"question":"q","answer":"a"}\n`,
  'deep-array.json': `[${'['.repeat(8 * mebibyte)}`,
  'many.jsonl': `{"a":[${'{},'.repeat(5 * mebibyte)}{}]}\n`,
  'blocks.jsonl.zst': zstd(20, 8 * 1024),
  'window.jsonl.zst': zstd(31, 8),
};

describe('a small file that swells', () => {
  let dir: string;
  beforeAll(async () => {
    dir = await writeFiles(files);
  });

  test.each<[keyof typeof files, number, RegExp]>([
    ['line.jsonl.gz', 2, /^fault DATASET_INVALID: .*at most 16 MiB .*line 1 is longer/],
    ['element.json.gz', 2, /^fault DATASET_INVALID: .*at most 16 MiB .*element 0 is longer/],
    ['cell.csv.gz', 2, /^fault DATASET_INVALID: .*at most 16 MiB .*line 2 is longer/],
    ['quoted.csv.gz', 0, /^thrown DATASET_INVALID: .*closed within 16 MiB .*opens in line 2 is not/],
    ['columns.csv', 0, /^thrown DATASET_INVALID: .*at most 10000 columns .*100000/],
    ['deep.jsonl', 0, /^thrown DATASET_INVALID: .*at most 200 levels deep/],
    ['deep-objects.jsonl', 2, /^fault DATASET_INVALID: .*at most 200 levels deep .*line 1/],
    ['deep-array.json', 0, /^thrown DATASET_INVALID: /],
    ['many.jsonl', 1, /^$/],
    ['blocks.jsonl.zst', 1, /^fault DATASET_INVALID: .*at most 16 MiB .*line 1 is longer/],
    ['window.jsonl.zst', 0, /^thrown DATASET_INVALID: .*window of 2,048 MiB, and at most 128 MiB/],
  ])('%s', { timeout: 120_000 }, async (name, rows, last) => {
    const program = new URL('swelling-files.child.ts', import.meta.url);
    const child = await runChild(program, [join(dir, name)], { NODE_OPTIONS: '--max-old-space-size=512' });
    expect(child.stderr).toBe('');
    const found = JSON.parse(child.stdout) as { rows: number; last: string; peak: number };
    expect(found).toMatchObject({ rows: rows, last: expect.stringMatching(last) as string });
    expect(found.peak).toBeLessThan(900);
  });
});
