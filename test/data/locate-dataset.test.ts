import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { DatasetLocation } from '../../src/config/datasets/dataset-plan.js';
import { locateDataset } from '../../src/data/sources/locate-dataset.js';
import { dataPlan } from './data-plan.js';
import { writeFiles } from './write-files.js';

const names = (files: readonly string[] | undefined) => files?.map((file) => basename(file));
async function located(name: string, location: Partial<DatasetLocation> = {}) {
  const files = await locateDataset(dataPlan(name, location), () => {});
  return { train: names(files.train), eval: names(files.eval) };
}

describe('folders', () => {
  test('of every kind of file, in parts', async () => {
    const dir = await writeFiles({
      'train-00000-of-00002-a09b74b3ef9c3b56.parquet': '',
      'train-00001-of-00002-a09b74b3ef9c3b56.parquet': '',
      'validation.csv.gz': '',
      'README.md': '',
    });
    expect(await located(dir)).toEqual({
      train: [
        'train-00000-of-00002-a09b74b3ef9c3b56.parquet',
        'train-00001-of-00002-a09b74b3ef9c3b56.parquet',
      ],
      eval: ['validation.csv.gz'],
    });
  });

  test('with the files in data, as in a clone from the Hub', async () => {
    const dir = await writeFiles({ 'data/train-00000-of-00001.parquet': '', 'data/test.jsonl.zst': '' });
    expect(await located(dir)).toEqual({ train: ['train-00000-of-00001.parquet'], eval: ['test.jsonl.zst'] });
  });

  test('with a folder per split', async () => {
    const dir = await writeFiles({
      'train/b.tsv': '',
      'train/a.tsv': '',
      'dev/c.jsonl': '',
      'notes/d.jsonl': '',
    });
    expect(await located(dir)).toEqual({ train: ['a.tsv', 'b.tsv'], eval: ['c.jsonl'] });
  });

  test('with the same rows in two kinds of file, perhaps, are not guessed about', async () => {
    const dir = await writeFiles({ 'train.csv': '', 'train.jsonl': '' });
    await expect(located(dir)).rejects.toThrow(
      expect.objectContaining({
        code: 'DATASET_INVALID',
        message: expect.stringMatching(/train\.csv and train\.jsonl.*data_files/),
      }),
    );
  });
});

describe('patterns', () => {
  test.each([
    ['*.jsonl', ['a.jsonl', 'b.jsonl']],
    ['{a,c}*', ['a.jsonl', 'c.csv']],
    ['**/*.parquet', ['d.parquet', 'e.parquet']],
    ['[bc].*', ['b.jsonl', 'c.csv']],
    ['deep/?.parquet', ['d.parquet']],
  ])('%s as the dataset, and in data_files', async (pattern, wanted) => {
    const dir = await writeFiles({
      'a.jsonl': '',
      'b.jsonl': '',
      'c.csv': '',
      'deep/d.parquet': '',
      'deep/er/e.parquet': '',
    });
    expect(await located(join(dir, pattern))).toEqual({ train: wanted, eval: undefined });
    expect(await located(dir, { dataFiles: { train: [pattern] } })).toMatchObject({ train: wanted });
  });

  test('a file that two of them name is taken once, in the order of the list', async () => {
    const dir = await writeFiles({ 'a.jsonl': '', 'b.jsonl': '', '[x].jsonl': '' });
    const dataFiles = { train: ['b.jsonl', '*.jsonl'], test: ['[x].jsonl'] };
    expect(await located(dir, { dataFiles })).toEqual({
      train: ['b.jsonl', '[x].jsonl', 'a.jsonl'],
      eval: ['[x].jsonl'],
    });
  });

  test('json, csv and parquet name no dataset but the kind of the data_files, as in load_dataset', async () => {
    const dir = await writeFiles({ 'a.jsonl': '', 'b.jsonl': '' });
    const dataFiles = { train: [join(dir, 'a.jsonl')], validation: [join(dir, 'b.*')] };
    expect(await located('json', { dataFiles })).toEqual({ train: ['a.jsonl'], eval: ['b.jsonl'] });
    await expect(located('json')).rejects.toThrow(expect.objectContaining({ code: 'DATASET_NOT_FOUND' }));
  });

  test.each([
    ['*.xlsx', {}, 'DATASET_NOT_FOUND', /\*\.xlsx but there is none/],
    ['*.txt', {}, 'DATASET_INVALID', /a\.txt is none of them/],
    ['*.jsonl', { dataDir: 'x' }, 'DATASET_INVALID', /is a pattern/],
    ['*.jsonl', { revision: 'x' }, 'DATASET_INVALID', /no "revision"/],
  ])('%s with %j', async (pattern, location, code, words) => {
    const dir = await writeFiles({ 'a.txt': '', 'b.jsonl': '' });
    await expect(located(join(dir, pattern), location)).rejects.toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(words) }),
    );
  });
});

test('a name on the Hub is fetched with its settings, unless there is a folder of that name', async () => {
  const asked: unknown[] = [];
  const fetchHub = async (id: string, location: DatasetLocation) => {
    asked.push([id, location.configName, location.revision, location.trainSplit]);
    return { train: ['/cache/x.parquet'], eval: undefined };
  };
  const wanted = dataPlan('owner/rows', { configName: 'main', revision: 'v1', trainSplit: 'sft' });
  expect(await locateDataset(wanted, () => {}, fetchHub)).toEqual({
    train: ['/cache/x.parquet'],
    eval: undefined,
  });
  expect(asked).toEqual([['owner/rows', 'main', 'v1', 'sft']]);
  await expect(locateDataset(dataPlan('./owner/rows'), () => {}, fetchHub)).rejects.toThrow(
    /there is nothing/,
  );
});
