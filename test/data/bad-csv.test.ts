import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readRows } from '../../src/data/read/read-rows.js';
import { writeFiles } from './write-files.js';

/** The rows of a CSV file: `[q, a]`, or the line and the reason of what is wrong with one. */
async function read(content: string | Buffer, name = 'rows.csv'): Promise<unknown[]> {
  const path = join(await writeFiles({ [name]: content }), name);
  const rows: unknown[] = [];
  for await (const { value, where, fault } of readRows(path)) {
    const line = Number(/line (\d+)$/.exec(where)![1]);
    const { q, a } = value as Record<string, unknown>;
    rows.push(fault === undefined ? [q, a] : { line, reason: fault.message });
  }
  return rows;
}

const bad = (line: number, words: RegExp) => ({ line, reason: expect.stringMatching(words) });

describe('a row of a CSV file that cannot be read does not take others with it', () => {
  test.each<[string, string, unknown[]]>([
    [
      'a stray quote in a value',
      'q,a\n1,2"3\n4,5\n',
      [bad(2, /line 2, .*Invalid Opening Quote/), ['4', '5']],
    ],
    [
      'a quote that opens a line and is closed lines later, by another value',
      'q,a\n1,2\n"3,4\n5,6\n7,8\n"9",10\n11,12\n',
      [['1', '2'], bad(3, /line 3, .*not closed/i), ['5', '6'], ['7', '8'], ['9', '10'], ['11', '12']],
    ],
    [
      'a quote that is never closed',
      'q,a\n1,2\n3,"4\n5,6\n7,8',
      [['1', '2'], bad(3, /line 3, .*not closed/i), ['5', '6'], ['7', '8']],
    ],
    ['one in the last line', 'q,a\n1,2\n3,"4', [['1', '2'], bad(3, /not closed/i)]],
    [
      'text of several lines with a quote out of place: all of its lines are one row',
      'q,a\n1,"one\ntwo, three, four\nfive"six\n7,8\n',
      [bad(4, /lines 2 to 4, .*Invalid Closing Quote/), ['7', '8']],
    ],
    [
      'too many values, and too few',
      'q,a\n1,2,3\n4\n5,6\n',
      [bad(2, /found 3/), bad(3, /found 1/), ['5', '6']],
    ],
    [
      'after text of several lines, the line is right',
      'q,a\n"1\n2\n3",4\n5\n',
      [['1\n2\n3', '4'], bad(5, /line 5/)],
    ],
    [
      'doubled quotes and quotes alone',
      'q,a\n"""1""",""\n"",""""\n',
      [
        ['"1"', null],
        [null, '"'],
      ],
    ],
    ['line breaks of Windows', 'q,a\r\n1,2"3\r\n"4\r\n5",6\r\n', [bad(2, /line 2/), ['4\r\n5', '6']]],
    ['of old Macs', 'q,a\r1,2"3\r4,5\r', [bad(2, /line 2/), ['4', '5']]],
    ['blank lines', 'q,a\n\n1,2\n\r\n\n3\n\n', [['1', '2'], bad(6, /line 6/)]],
  ])('%s', async (_, content, rows) => {
    expect(await read(content)).toEqual(rows);
  });

  test('a byte that is not UTF-8', async () => {
    const content = Buffer.from('q,a\n1,2\n3,\xff\n5,6\n', 'latin1');
    expect(await read(content)).toEqual([['1', '2'], bad(3, /line 3, column 3.*byte 0xff/), ['5', '6']]);
  });

  test('tabs', async () => {
    expect(await read('q\ta\n1,5\t"2\n3\t4\n', 'rows.tsv')).toEqual([bad(2, /not closed/i), ['3', '4']]);
  });

  const long = 'x'.repeat((1 << 24) + 5);
  test('a line that is too long, inside of quotes and without', async () => {
    const rows = await read(`q,a\n1,2\n3,${long}\n5,6\n`);
    expect(rows).toEqual([['1', '2'], bad(3, /at most 16 MiB .*line 3 is longer/), ['5', '6']]);
    expect(await read(`q,a\n1,2\n3,"${long}\n`).catch((error: unknown) => error)).toMatchObject({
      code: 'DATASET_INVALID',
      message: expect.stringMatching(/opens in line 3 is not.*no row can be skipped/),
    });
  });

  test('a quote that opens in a long file: the rows after it are found again', async () => {
    const count = 40_000; // 18 MB
    const padding = 'x'.repeat(420);
    const lines = Array.from({ length: count }, (_, i) => `question number ${i},${i}${padding}`);
    lines[1000] = '"stray,1';
    const rows = await read(`q,a\n${lines.join('\n')}\n`);
    expect(rows).toHaveLength(count);
    expect(rows[1000]).toEqual(bad(1002, /not closed/i));
    expect([rows[999], rows[1001], rows[count - 1]]).toEqual(
      [999, 1001, count - 1].map((i) => [`question number ${i}`, `${i}${padding}`]),
    );
  });

  test('where the rows after it cannot be told from text, the error says so', async () => {
    await expect(read('q,a\n1,2\n3,"4\nfive, six, seven\neight\n')).rejects.toThrow(
      /opens in line 3 is not.*told from its text.*Close the quote/s,
    );
  });

  test('wherever the pieces of a file end', async () => {
    const rows = Array.from({ length: 40_000 }, (_, i) =>
      i % 997 === 5 ? `${i},a"b` : `"${i}\n""é🙂",${i}`,
    );
    const found = await read(`q,a\n${rows.join('\n')}\n`);
    expect(found).toHaveLength(rows.length);
    for (const [i, row] of found.entries()) {
      if (i % 997 === 5) expect(row).toMatchObject({ reason: expect.stringMatching(/Opening Quote/) });
      else expect(row).toEqual([`${i}\n"é🙂`, String(i)]);
    }
  });
});
