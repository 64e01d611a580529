import { readFile } from 'node:fs/promises';
import { relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { DatasetLocation } from '../../src/config/datasets/dataset-plan.js';
import { downloadDataset } from '../../src/hub/datasets/download-dataset.js';
import type { HubSettings } from '../../src/common/hub-settings.js';
import { matchesPattern } from '../../src/hub/cache/matches-pattern.js';
import { datasetLayouts } from './dataset-layouts.js';
import { failureOf } from './failure-of.js';
import { hubTest, token } from './hub-test.js';
import { publishDataset } from './publish-dataset.js';

const test = hubTest();
const usual: DatasetLocation = {
  configName: null,
  revision: null,
  dataDir: null,
  dataFiles: null,
  trainSplit: 'train',
  valSplit: 'validation',
};

async function get(location: Partial<DatasetLocation> = {}, overrides: Partial<HubSettings> = {}) {
  const warnings: string[] = [];
  const settings = test.settings(overrides);
  const files = await downloadDataset(
    'me/rows',
    { ...usual, ...location },
    {
      settings,
      onWarning: (message) => warnings.push(message),
    },
  );
  const names = (paths: string[] | undefined) =>
    paths?.map((path) => relative(settings.cacheDir, path).split('/').slice(3).join('/'));
  return { ...files, names: { train: names(files.train), eval: names(files.eval) }, warnings };
}
const put = (files: Record<string, string>, branch?: string) =>
  test.hub.store.put(
    test.hub.store.find('dataset', 'me/rows') ?? test.hub.store.create('dataset', 'me/rows'),
    files,
    branch,
  );
const fetched = () =>
  test.hub.requests
    .map(({ url }) => /\/resolve\/[0-9a-f]{40}\/(.*)$/.exec(url)?.[1])
    .filter((path) => path !== undefined);

describe('downloadDataset', () => {
  it.each(datasetLayouts)('$what', async (layout) => {
    publishDataset(test, 'me/rows', layout);
    for (const [split, files] of Object.entries(layout.expected)) {
      const { names, train } = await get({ ...layout.location, trainSplit: split, valSplit: split });
      expect(names.train).toEqual(files);
      expect(JSON.parse((await readFile(train[0]!, 'utf8')).trim())).toEqual({ file: files[0] });
    }
  });

  it('fetches the files of the splits it is asked for, and no others', async () => {
    put({ 'train.jsonl': '{}', 'validation.jsonl': '{"a":1}', 'test.jsonl': '{"a":2}', 'huge.bin': 'x' });
    expect((await get()).names).toEqual({ train: ['train.jsonl'], eval: ['validation.jsonl'] });
    expect(fetched().sort()).toEqual(['train.jsonl', 'validation.jsonl']);
  });

  it('takes test where there is no validation, and says when a split asked for is not there', async () => {
    put({ 'train.jsonl': '{}', 'test.jsonl': '{"a":2}' });
    expect((await get()).names.eval).toEqual(['test.jsonl']);
    const { names, warnings } = await get({ valSplit: 'held' });
    expect(names.eval).toEqual(['test.jsonl']);
    expect(warnings).toEqual([expect.stringContaining('no split "held" in the dataset "me/rows"')]);
    const failure = await failureOf(get({ trainSplit: 'trian' }));
    expect(failure.code).toBe('DATASET_NOT_FOUND');
    expect(failure.message).toContain(
      'Expected the split "trian" in the dataset "me/rows" but found only: test, train',
    );
  });

  it('takes a revision', async () => {
    put({ 'train.jsonl': '{"v":1}' });
    put({ 'train.jsonl': '{"v":2}' }, 'v2');
    const { train } = await get({ revision: 'v2' });
    expect(await readFile(train[0]!, 'utf8')).toBe('{"v":2}');
  });

  it('says which configurations there are when one has to be named', async () => {
    const readme = '---\nconfigs:\n- config_name: a\n  data_dir: a\n- config_name: b\n  data_dir: b\n---\n';
    put({ 'README.md': readme, 'a/train.jsonl': '{}', 'b/train.jsonl': '{}' });
    const failure = await failureOf(get());
    expect(failure.message).toMatch(/has several: a, b\. Set "name"/);
    expect((await get({ configName: 'b' })).names.train).toEqual(['b/train.jsonl']);
    expect((await failureOf(get({ configName: 'c' }))).message).toContain('the configuration "c"');
  });

  it('goes by the names of files, with a warning, where the README cannot be read', async () => {
    put({ 'README.md': '---\nconfigs: [}\n---\n', 'train.jsonl': '{}' });
    const { names, warnings } = await get();
    expect(names.train).toEqual(['train.jsonl']);
    expect(warnings).toEqual([expect.stringContaining('cannot be read')]);
  });

  it('says which pattern has no file, and what files there are', async () => {
    put({ 'train.jsonl': '{}' });
    const failure = await failureOf(get({ dataFiles: { train: ['x/*.jsonl'] } }));
    expect(failure.message).toMatch(/match "x\/\*\.jsonl" but none does; it has train\.jsonl/);
  });

  it('works offline once it was fetched', async () => {
    put({ 'train.jsonl': '{}', 'test.jsonl': '{"a":2}' });
    await get();
    test.hub.clear();
    expect((await get({}, { offline: true })).names).toEqual({
      train: ['train.jsonl'],
      eval: ['test.jsonl'],
    });
    expect(test.hub.requests).toEqual([]);
  });

  it('a missing one: its page', async () => {
    const failure = await failureOf(get({}, { token }));
    expect(failure.message).toContain(`${test.hub.endpoint}/datasets/me/rows`);
    expect(failure.message).toContain('the dataset "me/rows" on the Hub but it is missing or private');
  });
});

describe('the Parquet files that the Hub makes', () => {
  const parquet = 'refs/convert/parquet';

  it('stand in for files that cannot be read', async () => {
    put({ 'me_rows.py': 'import datasets', 'raw.zip': 'x' });
    put(
      {
        'default/train/0000.parquet': 'a',
        'default/train/0001.parquet': 'b',
        'default/test/0000.parquet': 'c',
      },
      parquet,
    );
    const { names } = await get();
    expect(names).toEqual({
      train: ['default/train/0000.parquet', 'default/train/0001.parquet'],
      eval: ['default/test/0000.parquet'],
    });
    test.hub.clear();
    expect((await get({}, { offline: true })).names).toEqual(names);
    expect(test.hub.requests).toEqual([]);
  });

  it('by configuration', async () => {
    put({ 'me_rows.py': 'x' });
    put({ 'en/train/0000.parquet': 'a', 'de/partial-train/0000.parquet': 'b' }, parquet);
    expect((await failureOf(get())).message).toContain('the configurations de, en');
    const { names, warnings } = await get({ configName: 'de' });
    expect(names.train).toEqual(['de/partial-train/0000.parquet']);
    expect(warnings).toEqual([expect.stringContaining('in part only')]);
  });

  it('are not there either: what was found, and the page', async () => {
    put({ 'me_rows.py': 'x' });
    const failure = await failureOf(get());
    expect(failure.code).toBe('DATASET_NOT_FOUND');
    expect(failure.message).toMatch(
      /JSONL, JSON, CSV or Parquet files in the dataset "me\/rows" but found .*me_rows\.py/,
    );
    expect(failure.message).toContain(`${test.hub.endpoint}/datasets/me/rows`);
  });
});

describe('matchesPattern', () => {
  it.each([
    ['*.jsonl', 'a.jsonl', true],
    ['*.jsonl', 'x/a.jsonl', false],
    ['**/*.jsonl', 'a.jsonl', true],
    ['**/*.jsonl', 'x/y/a.jsonl', true],
    ['x/**', 'x/y/a.jsonl', true],
    ['./x/*', 'x/a', true],
    ['train-[0-9]*', 'train-1x', true],
    ['train-[!0-9]*', 'train-1x', false],
    ['{a,b}/*.csv', 'b/x.csv', true],
    ['a+b(1).csv', 'a+b(1).csv', true],
    ['a.csv', 'axcsv', false],
    ['**', '.hidden/a', false],
    ['.hidden/*', '.hidden/a', true],
    ['*', '__x__/a', false],
    ['[z-a]*', 'z', false],
  ])('%s and %s: %s', (pattern, path, expected) => {
    expect(matchesPattern(pattern, path)).toBe(expected);
  });
});
