import { relative, sep } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { DatasetLocation } from '../../src/config/datasets/dataset-plan.js';
import { readRows } from '../../src/data/read/read-rows.js';
import { locateDataset } from '../../src/data/sources/locate-dataset.js';
import { datasetLayouts } from '../hub/dataset-layouts.js';
import { collect } from './collect.js';
import { dataPlan } from './data-plan.js';
import { writeFiles } from './write-files.js';

async function clone(paths: readonly string[], readme = '# data'): Promise<string> {
  const files = Object.fromEntries(paths.map((path) => [path, [{ text: path }]]));
  return writeFiles({ ...files, 'README.md': readme });
}

async function splitOf(dir: string, split: string, location: Partial<DatasetLocation> = {}) {
  const warnings: string[] = [];
  const plan = dataPlan(dir, { ...location, trainSplit: split, valSplit: split });
  const { train } = await locateDataset(plan, (message) => warnings.push(message));
  return { files: train.map((file) => relative(dir, file).split(sep).join('/')), warnings };
}

describe('a local copy of a Hub dataset has the splits that it has on the Hub', () => {
  // Two formats of the same rows are refused on disk, where no one chose between them.
  const layouts = datasetLayouts.filter(({ what }) => what !== 'a copy in another format');
  test.each(layouts)('$what', async ({ paths, readme, location = {}, expected }) => {
    const dir = await clone(paths, readme);
    for (const [split, files] of Object.entries(expected)) {
      expect((await splitOf(dir, split, location)).files).toEqual(files);
    }
  });

  const several =
    '---\nconfigs:\n- config_name: fr\n  data_files: fr.jsonl\n- config_name: de\n  data_files: de.jsonl\n---\n';

  test('where a configuration has to be named, or is not there, they are listed', async () => {
    const dir = await clone(['fr.jsonl', 'de.jsonl'], several);
    await expect(splitOf(dir, 'train')).rejects.toThrow(/fr, de\. Set "name"/);
    await expect(splitOf(dir, 'train', { configName: 'it' })).rejects.toThrow(
      /configuration "it" in .*found the configurations fr, de/,
    );
    expect((await splitOf(dir, 'train', { configName: 'de' })).files).toEqual(['de.jsonl']);
    const plain = await clone(['train.jsonl']);
    await expect(splitOf(plain, 'train', { configName: 'it' })).rejects.toThrow(/found none.*Remove "name"/);
  });

  test('a README that cannot be read is said, and the names of the files decide', async () => {
    const dir = await clone(['train.jsonl'], '---\nconfigs: [1\n---\n');
    const { files, warnings } = await splitOf(dir, 'train');
    expect(files).toEqual(['train.jsonl']);
    expect(warnings).toEqual([expect.stringMatching(/README\.md .*cannot be read/)]);
  });

  test('files that git has left pointers to are told from damaged ones', async () => {
    const pointer = 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n';
    for (const name of ['train.parquet', 'train.jsonl', 'train.csv', 'train.arrow']) {
      const dir = await writeFiles({ [name]: pointer });
      const { train } = await locateDataset(dataPlan(dir), () => {});
      await expect(collect(readRows(train[0]!))).rejects.toThrow(/git lfs pull/);
    }
  });
});

describe('the Parquet that the Hub makes, as it lies on its branch', () => {
  const paths = [
    'en/train/0000.parquet',
    'en/train/0001.parquet',
    'en/validation/0000.parquet',
    'de/partial-train/0000.parquet',
    'de/test_sft/0000.parquet',
  ];

  test('by configuration and split', async () => {
    const dir = await clone(paths);
    expect(await splitOf(dir, 'train', { configName: 'en' })).toEqual({
      files: paths.slice(0, 2),
      warnings: [],
    });
    expect((await splitOf(dir, 'validation', { configName: 'en' })).files).toEqual([paths[2]]);
    expect((await splitOf(dir, 'test_sft', { configName: 'de' })).files).toEqual([paths[4]]);
    await expect(splitOf(dir, 'train')).rejects.toThrow(/has several: de, en/);
  });

  test('a part of a split is taken, with a warning', async () => {
    const { files, warnings } = await splitOf(await clone(paths), 'train', { configName: 'de' });
    expect(files).toEqual([paths[3]]);
    expect(warnings).toEqual([expect.stringMatching(/"train" rows .*beginning/)]);
  });

  test('the only configuration, and the folder of one', async () => {
    const only = await clone(paths.slice(0, 3));
    expect((await splitOf(only, 'train')).files).toEqual(paths.slice(0, 2));
    const dir = await clone(['train_sft/0000.parquet', 'test_sft/0000.parquet']);
    expect((await splitOf(dir, 'train_sft')).files).toEqual(['train_sft/0000.parquet']);
  });
});
