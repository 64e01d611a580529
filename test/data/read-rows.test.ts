import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { readRows, type FileRow } from '../../src/data/read/read-rows.js';
import { JsonNumber } from '../../src/common/json-number.js';
import { losslessJson } from '../../src/common/lossless-json.js';
import { collect } from './collect.js';
import { questions, writeFiles } from './write-files.js';

const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/data/${name}`, import.meta.url));

async function read(name: string, content: string | Buffer): Promise<FileRow[]> {
  return collect(readRows(join(await writeFiles({ [name]: content }), name)));
}

const values = (rows: FileRow[]) => rows.map((row) => row.value);
const invalid = (words: RegExp) =>
  expect.objectContaining({ code: 'DATASET_INVALID', message: expect.stringMatching(words) });

describe('CSV and TSV', () => {
  test('quoted values, line breaks in them, CRLF, a byte order mark and blank lines', async () => {
    const rows = await read('rows.csv', '\uFEFFq,a\r\n1,"x, ""y"""\r\n\r\n"two\nlines",é🙂\r\n');
    expect(values(rows)).toEqual([
      { q: '1', a: 'x, "y"' },
      { q: 'two\nlines', a: 'é🙂' },
    ]);
    expect(rows.map((row) => /rows\.csv line \d+$/.exec(row.where)?.[0])).toEqual([
      'rows.csv line 2',
      'rows.csv line 5',
    ]);
  });

  test('tabs in a .tsv', async () => {
    expect(values(await read('rows.tsv', 'q\ta\n1,5\t2\n'))).toEqual([{ q: '1,5', a: '2' }]);
  });

  test('a column without a name, as pandas writes its index', async () => {
    expect(values(await read('rows.csv', ',q\n0,x\n'))).toEqual([{ 'Unnamed: 0': '0', q: 'x' }]);
  });

  test.each([
    [
      'a row with too few values',
      'q,a\n1,2\n3\n',
      /Expected 2 values \(q, a\) in .*line 3, but found 1.*double quotes/,
    ],
    [
      'another delimiter',
      'question;answer\n1;2\n',
      /separated by ",".*column "question;answer", .*separated by ";"/,
    ],
    ['a quote that is not closed', 'q,a\n1,"2\n3,4\n', /line 2.*not closed/i],
    ['a stray quote', 'q,a\n1,2"3\n', /line 2.*quote/],
    ['a column twice', 'q,a,q\n1,2,3\n', /line 1 of .*"q" twice \(q, a, q\)/],
    ['nothing', '', /is empty/],
    ['a header alone', 'q,a\n', /is empty/],
    ['a byte that is not UTF-8', Buffer.from('q,a\n1,2\n3,\xff\n', 'latin1'), /line 3, column 3.*byte 0xff/],
  ])('%s', async (_, content, words) => {
    await expect(read('rows.csv', content)).rejects.toThrow(invalid(words));
  });
});

describe('Parquet', () => {
  test.each(['snappy', 'zstd', 'gzip', 'none'])('%s, over several row groups', async (codec) => {
    const rows = await collect(readRows(fixture(`${codec}.parquet`)));
    expect(rows).toHaveLength(250);
    expect(rows[0]?.value).toEqual({
      question: 'q0?',
      answer: '',
      messages: [
        { role: 'user', content: 'u0' },
        { role: 'assistant', content: 'a0' },
      ],
      number: new JsonNumber(String(2n ** 60n)), // more than a number can hold
      maybe: null,
    });
    expect(rows[205]).toMatchObject({
      value: { question: 'q205?', answer: 'é🙂 205', number: 205, maybe: 'm205' },
    });
    expect(rows[205]?.where).toMatch(/parquet row 205$/);
  });

  test('numbers are as Python writes them, and members of structs in their order', async () => {
    const rows = await collect(readRows(fixture('numbers.parquet')));
    const written = rows.map(({ value }) => losslessJson.stringify(value));
    const expected = (await readFile(fixture('numbers.jsonl'), 'utf8')).trimEnd().split('\n');
    expect(written).toEqual(expected);
    expect(rows[0]).toMatchObject({ nullIsAbsent: true });
    const lines = await collect(readRows(fixture('numbers.jsonl')));
    expect(lines.map(({ value }) => losslessJson.stringify(value))).toEqual(expected);
  });

  test.each([
    ['large-page', /row group 0.*it unpacks to 300 MiB or more, and at most 256 MiB a page/s],
    ['many-rows', /row group 0.*it has 8388608 rows, and at most 4194304/s],
  ])('%s is refused before it is unpacked', async (name, words) => {
    await expect(collect(readRows(fixture(`${name}.parquet`)))).rejects.toThrow(invalid(words));
  });

  test.each([0, 4, 100, 2000, -1])('cut short at byte %i', async (end) => {
    const whole = await readFile(fixture('snappy.parquet'));
    await expect(read('rows.parquet', whole.subarray(0, end))).rejects.toThrow(
      invalid(/whole Parquet file at .*rows\.parquet .*cut short.*Fetch/),
    );
  });

  test('damaged inside a row group', async () => {
    const bytes = Buffer.from(await readFile(fixture('snappy.parquet'))).fill(0xff, 300, 900);
    await expect(read('rows.parquet', bytes)).rejects.toThrow(invalid(/row group 0, rows 0 to 99/));
  });

  test('without rows, or not there', async () => {
    await expect(collect(readRows(fixture('empty.parquet')))).rejects.toThrow(invalid(/is empty/));
    await expect(collect(readRows(fixture('no.parquet')))).rejects.toThrow(
      expect.objectContaining({ code: 'DATASET_NOT_FOUND' }),
    );
  });
});

describe('packed files', () => {
  const text = questions(5000)
    .map((row) => `${JSON.stringify(row)}\n`)
    .join('');

  test('.gz, also of several members', async () => {
    const half = text.indexOf('\n', text.length / 2) + 1;
    const members = [text.slice(0, half), text.slice(half)].map((part) => gzipSync(part));
    expect(values(await read('rows.jsonl.gz', Buffer.concat(members)))).toEqual(questions(5000));
    expect(values(await read('rows.csv.gz', gzipSync('q\n1\n')))).toEqual([{ q: '1' }]);
  });

  test('.zst, also of several frames', async () => {
    const rows = await collect(readRows(fixture('rows.jsonl.zst')));
    expect(rows).toHaveLength(60);
    expect(rows[59]).toMatchObject({ value: { question: 'q59', answer: 'a59' } });
  });

  test.each([
    ['rows.jsonl.gz', async () => gzipSync(text).subarray(0, 500)],
    ['rows.jsonl.zst', async () => (await readFile(fixture('rows.jsonl.zst'))).subarray(0, 300)],
    ['rows.jsonl.gz', async () => Buffer.from(text)],
    ['rows.jsonl.zst', async () => Buffer.from(text)],
  ])('%s that is cut short or not packed at all', async (name, content) => {
    await expect(read(name, await content())).rejects.toThrow(
      invalid(/whole (gzip|zstd) data in .*rows\.jsonl/),
    );
  });

  test('a packed Parquet file is refused', async () => {
    const path = join(await writeFiles({ 'rows.parquet.gz': '' }), 'rows.parquet.gz');
    expect(() => readRows(path)).toThrow(invalid(/Unpack it/));
  });
});

describe('JSON', () => {
  test('an array is cut into elements wherever the read buffer ends', async () => {
    const rows = questions(30_000).map((row, index) => ({ ...row, nested: [index, { s: '],["\\' }] })); // 2.5 MB
    expect(values(await read('rows.json', JSON.stringify(rows, null, 1)))).toEqual(rows);
  });

  test.each([
    ['[{"a":1},,{"a":2}]', /line 1, column 10.*found ","/],
    ['[{"a":1}] x', /line 1, column 11.*found "x"/],
    ['[{"a":1}', /line 1, column 9.*found the end/],
    ['[{"a":1}}', /line 1, column 9.*found "}"/],
  ])('%s', async (content, words) => {
    await expect(read('rows.json', content)).rejects.toThrow(invalid(words));
  });

  test.each([
    ['{"a":1}\n{"a":1,"b":{"c":1,"c":2}}', /line 2, column 19.*"c" twice/],
    ['{"a":"x\\"","\\u0061":2}', /line 1, column 12.*"a" twice/],
    ['[{"a":1},{"b":1,"b":1}]', /element 1.*"b" twice/],
  ])('a key twice in one object: %s', async (content, words) => {
    await expect(read('rows.jsonl', content)).rejects.toThrow(invalid(words));
  });

  test('the same key in different objects is fine', async () => {
    const row = '{"a":{"a":["a",{"a":"a"},{"a":"\\\\"}]},"b":"a"}';
    expect(values(await read('rows.jsonl', row))).toEqual([JSON.parse(row)]);
  });
});

test('a file of another kind', () => {
  expect(() => readRows('data/rows.xlsx')).toThrow(invalid(/rows\.xlsx is a file of another kind/));
});
