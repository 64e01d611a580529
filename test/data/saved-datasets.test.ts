import { cp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { losslessJson } from '../../src/common/lossless-json.js';
import { OpaqueValue } from '../../src/common/opaque-value.js';
import { locateDataset } from '../../src/data/sources/locate-dataset.js';
import { readRows } from '../../src/data/read/read-rows.js';
import { processRow } from '../../src/data/chats/process-row.js';
import { sampleToChat } from '../../src/data/chats/sample-to-chat.js';
import { collect } from './collect.js';
import { dataPlan } from './data-plan.js';
import { tempDir } from '../helpers/temp-dir.js';
import { writeFiles } from './write-files.js';

const saved = (name: string) => fileURLToPath(new URL(`../fixtures/data/saved/${name}`, import.meta.url));
const text = (path: string) => readFile(path, 'utf8');

async function rowsOf(paths: string | readonly string[]): Promise<unknown[]> {
  const rows = await Promise.all([paths].flat().map((path) => collect(readRows(path))));
  return rows.flat().map(({ value }) => value);
}

const asText = (rows: readonly unknown[]) => rows.map((row) => losslessJson.stringify(row));
const normal = async (name: string) =>
  (await text(saved(`${name}.jsonl`)))
    .trim()
    .split('\n')
    .map((line) => losslessJson.stringify(losslessJson.parse(line)));

describe('Arrow files hold what pyarrow reads of them', () => {
  test.each(['stream', 'file', 'views'])('%s', async (name) => {
    const rows = asText(await rowsOf(saved(`${name}.arrow`)));
    expect(rows).toEqual(await normal(name === 'file' ? 'stream' : name));
    expect(rows.length).toBeGreaterThan(2);
  });

  test('rows are told by their place in the file', async () => {
    const rows = await collect(readRows(saved('stream.arrow')));
    expect(rows.at(-1)!.where).toBe(`${saved('stream.arrow')} row 24`);
  });

  test('compressed ones are refused, and say how to write them', async () => {
    await expect(rowsOf(saved('packed.arrow'))).rejects.toThrow(/compressed.*compression=None/);
  });

  test('cut anywhere they are refused, or give the rows before the cut', async () => {
    const whole = await readFile(saved('stream.arrow'));
    const all = asText(await rowsOf(saved('stream.arrow')));
    for (let end = 0; end < whole.length; end += 97) {
      const dir = await writeFiles({ 'rows.arrow': whole.subarray(0, end) });
      const given: unknown[] = [];
      try {
        for await (const { value } of readRows(join(dir, 'rows.arrow'))) given.push(value);
      } catch (error) {
        expect(error).toMatchObject({ code: 'DATASET_INVALID' });
      }
      expect(asText(given)).toEqual(all.slice(0, given.length));
    }
  });

  test('with any byte changed they never end the process or hang', async () => {
    const whole = await readFile(saved('maps.arrow'));
    for (let at = 0; at < whole.length; at += 53) {
      const bytes = Buffer.from(whole);
      bytes[at] = bytes[at]! ^ 0x7f;
      const dir = await writeFiles({ 'rows.arrow': bytes });
      await rowsOf(join(dir, 'rows.arrow')).catch((error: unknown) =>
        expect(error).toMatchObject({ code: 'DATASET_INVALID' }),
      );
    }
  });
});

describe('values without a form in JSON', () => {
  test.each(['opaque.arrow', 'opaque.parquet'])(
    '%s: are refused by name where they are used',
    async (name) => {
      const [row] = (await rowsOf(saved(name))) as Record<string, unknown>[];
      const words = { when: 'a date', day: 'a date', time: 'a time of day', lasts: 'a duration' };
      const kinds: Record<string, string> = { ...words, bytes: 'bytes', fixed: 'bytes' };
      const used = Object.keys(row!).filter((column) => column !== 'answer');
      expect(used.length).toBeGreaterThanOrEqual(5);
      for (const column of used) {
        expect(() => processRow({ question: row![column], answer: 'a' })).toThrow(
          `Expected the column "question" to be a string but found ${kinds[column]}`,
        );
      }
      expect(processRow({ ...row, question: 'q' }).ignored).toEqual([]);
    },
  );

  test.each(['maps.arrow', 'maps.parquet'])(
    '%s: a map with text as keys is an object in its order, others are refused by name',
    async (name) => {
      const rows = (await rowsOf(saved(name))) as Record<string, unknown>[];
      const python = losslessJson.parse(await text(saved('maps.json'))) as Record<string, unknown>[];
      type Pairs = [string, unknown][] | null;
      const pairs = (map: unknown): Pairs =>
        map === null
          ? null
          : map instanceof Map
            ? [...(map as Map<string, unknown>)]
            : Object.entries(map as object);
      expect(rows.map(({ text: map }) => pairs(map))).toEqual(python.map(({ text: map }) => map));
      expect(rows.map(({ nested }) => nested && (nested as unknown[]).map(pairs))).toEqual(
        python.map(({ nested }) => nested),
      );
      expect(rows.map(({ deep }) => deep && pairs((deep as { m: unknown }).m))).toEqual(
        python.map(({ deep }) => deep && (deep as { m: unknown }).m),
      );
      const [{ number, twice } = {}, { number: missing } = {}] = rows;
      expect([number, twice, missing]).toEqual([expect.any(OpaqueValue), expect.any(OpaqueValue), null]);
      expect(() => processRow({ question: number, answer: 'a' })).toThrow(/a map whose keys are not text/);
      expect(() => processRow({ question: twice, answer: 'a' })).toThrow(/a map with a key twice/);
    },
  );

  test('decimals are written as Python writes them, however they are stored', async () => {
    expect(asText(await rowsOf(saved('decimals.parquet')))).toEqual(await normal('decimals'));
  });

  test('columns of JSON are what their text says, and keep their nulls', async () => {
    const expected = await normal('one');
    const rows = await collect(readRows(saved('json.parquet')));
    expect(asText(rows.map(({ value }) => value))).toEqual(expected);
    const made = await sampleToChat(dataPlan('x'), { ...rows[0]!, index: 0, done: 0 });
    expect(losslessJson.stringify((made!.chat as { tools: unknown }).tools)).toBe(
      '[{"b":1.0,"10":null,"2":1152921504606846976}]',
    );
  });

  test('JSON text in a column of Parquet keeps its nulls, columns of Arrow lose theirs', async () => {
    const value = {
      messages: [
        { role: 'user', content: 'q', tool_calls: null },
        {
          role: 'assistant',
          content: null,
          tool_calls: [{ function: { name: 'f', arguments: { a: 1, b: null } } }],
        },
      ],
      tools: '[{"name":"f","default":null}]',
    };
    const made = await sampleToChat(dataPlan('x'), {
      value,
      where: 'row 0',
      nullIsAbsent: true,
      index: 0,
      done: 0,
    });
    expect(made!.chat).toEqual({
      messages: [
        { role: 'user', content: 'q' },
        { role: 'assistant', content: null, tool_calls: [{ function: { name: 'f', arguments: { a: 1 } } }] },
      ],
      tools: [{ name: 'f', default: null }],
    });
  });
});

describe('folders of save_to_disk', () => {
  const located = (name: string, location = {}) => locateDataset(dataPlan(name, location), () => {});

  test('one dataset in several files', async () => {
    const { train, eval: evaluation } = await located(saved('one'));
    expect(evaluation).toBeUndefined();
    expect(asText(await rowsOf(train))).toEqual(await normal('one'));
  });

  test('several splits, rows that were selected', async () => {
    const { train, eval: evaluation } = await located(saved('splits'));
    expect(asText(await rowsOf(train))).toEqual(await normal('splits'));
    expect(await rowsOf(evaluation!)).toHaveLength(2);
    await expect(located(saved('splits'), { trainSplit: 'other' })).rejects.toThrow(/only: train, test/);
  });

  test('files that were made later beside them are not taken', async () => {
    const dir = await tempDir();
    await cp(saved('one'), dir, { recursive: true });
    await cp(saved('stream.arrow'), join(dir, 'cache-5e1b.arrow'));
    expect((await located(dir)).train).toHaveLength(2);
  });

  test('what cannot be read of them is said', async () => {
    const bad = await writeFiles({ 'dataset_dict.json': '{"splits": ["train"]}', 'train/data.arrow': '' });
    await expect(located(bad)).rejects.toThrow(/train.state\.json.*save_to_disk/);
    const chosen = { _data_files: [{ filename: 'a.arrow' }], _indices_data_files: [{ filename: 'i.arrow' }] };
    const selection = await writeFiles({ 'state.json': JSON.stringify(chosen) });
    await expect(located(selection)).rejects.toThrow(/selection.*is not read/);
  });
});
