import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readJsonl, type JsonRow } from '../../src/data/read/read-jsonl.js';
import { collect } from './collect.js';
import { writeFiles } from './write-files.js';

async function readAll(content: string | Buffer, name = 'rows.jsonl'): Promise<JsonRow[]> {
  return collect(readJsonl(join(await writeFiles({ [name]: content }), name)));
}

const values = async (content: string | Buffer) => (await readAll(content)).map((row) => row.value);

const invalid = (line: number, column: number, words: RegExp) =>
  expect.objectContaining({
    code: 'DATASET_INVALID',
    message: expect.stringMatching(words),
    details: expect.objectContaining({ line, column, path: expect.stringContaining('rows.jsonl') }),
  });

describe('good files', () => {
  test('one value a line, blank lines and a missing last newline do not matter', async () => {
    const rows = await readAll('{"a":1}\r\n\n  \n{"a":"é🙂"}');
    expect(rows.map((row) => [row.value, row.line])).toEqual([
      [{ a: 1 }, 1],
      [{ a: 'é🙂' }, 4],
    ]);
    expect(rows[1]?.where).toMatch(/rows\.jsonl line 4$/);
  });

  test('a byte order mark is dropped, in both forms', async () => {
    expect(await values('\uFEFF{"a":1}\n{"a":2}')).toEqual([{ a: 1 }, { a: 2 }]);
    expect(await values('\uFEFF[{"a":1}]')).toEqual([{ a: 1 }]);
  });

  test('an array over several lines', async () => {
    const rows = await readAll('\n[\n {"a": 1},\n {"a": 2}\n]\n', 'rows.json');
    expect(rows.map((row) => row.value)).toEqual([{ a: 1 }, { a: 2 }]);
    expect(rows[1]?.where).toMatch(/element 1$/);
  });

  test('lines and characters cut by the read buffer come out whole', async () => {
    const wide = Array.from({ length: 40 }, (_, index) => ({ text: '日🙂é'.repeat(10_000 + index) })); // 3.6 MB
    expect(await values(wide.map((row) => JSON.stringify(row)).join('\n'))).toEqual(wide);
  });
});

describe('bad files', () => {
  test.each([
    ['{"a":1}\n{"a":2,}\n', 2, 8, /found "}"/],
    ['{"a":1}\n\n{"a" 2}\n', 3, 6, /found "2"/],
    ['{"a": "x\n', 1, 9, /found the end/],
    ['{"a": nope}', 1, 7, /found "n"/],
    ['{"a": "\\q"}', 1, 8, /valid JSON/],
    ['{"a": "x\ty"}', 1, 9, /valid JSON/],
    ['{"a": 01}', 1, 8, /found "1"/],
    ['{"a":1} {"b":2}', 1, 9, /found "{"/],
    ['{"a":1}\n🙂 x', 2, 1, /found "🙂"/],
    ['[{"a":1},\n {"a":}]', 2, 7, /found "}"/],
    ["{'a': 1}", 1, 2, /found "'"/],
  ])('%j', async (content, line, column, words) => {
    await expect(readAll(content)).rejects.toThrow(invalid(line, column, words));
  });

  test('the message has an excerpt around the place, not the whole line', async () => {
    const line = `{"a": "${'x'.repeat(500)}", oops "${'y'.repeat(500)}"}`;
    const error = (await readAll(line).catch((cause: unknown) => cause)) as Error;
    expect(error.message).toContain('…xxx');
    expect(error.message).toContain('oops');
    expect(error.message.length).toBeLessThan(400);
  });

  test('a bad line comes with its fault, between the others', async () => {
    const path = join(await writeFiles({ 'rows.jsonl': '{"a":1}\n{\n{"a":2}' }), 'rows.jsonl');
    const seen: unknown[] = [];
    for await (const { value, fault } of readJsonl(path)) seen.push(fault ?? value);
    expect(seen).toEqual([{ a: 1 }, invalid(2, 2, /the end/), { a: 2 }]);
  });

  test.each([
    ['a byte that is never UTF-8', Buffer.from('{"a":1}\n{"é": "x\xff"}', 'latin1'), 2, 3],
    [
      'a cut character',
      Buffer.concat([Buffer.from('{"é": "'), Buffer.from([0xf0, 0x9f, 0x99]), Buffer.from('"}')]),
      1,
      8,
    ],
    ['UTF-16', Buffer.from('\uFEFF{"a":1}', 'utf16le'), 1, 1],
    [
      'a bad byte after a written-out U+FFFD',
      Buffer.concat([Buffer.from('"\uFFFD'), Buffer.from([0x80])]),
      1,
      3,
    ],
  ])('%s', async (_, content, line, column) => {
    await expect(readAll(content)).rejects.toThrow(invalid(line, column, /UTF-8 text.*byte 0x/));
  });

  test.each([
    ['', 'nothing'],
    ['\n \n', 'blank lines'],
    ['[]', 'an empty array'],
  ])('%j: empty', async (content) => {
    await expect(readAll(content)).rejects.toThrow(
      expect.objectContaining({
        code: 'DATASET_INVALID',
        message: expect.stringMatching(/rows\.jsonl.*is empty/),
      }),
    );
  });

  test('one object over several lines', async () => {
    await expect(readAll('{\n "data": [{"a":1}]\n}')).rejects.toThrow(
      /single object over several lines \(keys: data\)/,
    );
  });

  test('a path that is not there, and a folder', async () => {
    const dir = await writeFiles({});
    await expect(collect(readJsonl(join(dir, 'no.jsonl')))).rejects.toThrow(
      expect.objectContaining({
        code: 'DATASET_NOT_FOUND',
        message: expect.stringContaining(join(dir, 'no.jsonl')),
      }),
    );
    await expect(collect(readJsonl(dir))).rejects.toThrow(/It is a folder/);
  });
});
