import { randomBytes } from 'node:crypto';
import { mkdir, readFile, readlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { downloadModel } from '../../src/hub/models/download-model.js';
import { datasetLayouts } from './dataset-layouts.js';
import { hubTest, token } from './hub-test.js';
import { needsPython, python, runPython } from './python-client.js';
import { publishDataset } from './publish-dataset.js';
import { tinyModel } from './tiny-model.js';

const test = hubTest();
const patterns = [
  'config.json',
  'generation_config.json',
  'model.safetensors',
  'tokenizer*',
  'chat_template.jinja',
];

interface Downloaded {
  path: string;
  files: Record<string, string>;
}

function publish() {
  const repo = test.hub.store.create('model', 'me/tiny');
  const weights = randomBytes(300_000);
  return { repo, weights, commit: test.hub.store.put(repo, tinyModel(weights)) };
}

describe.skipIf(python === undefined)(`the official client (${needsPython})`, () => {
  it('downloads from the stand-in what we download, to the same places', async () => {
    const { weights } = publish();
    const theirs = await runPython<Downloaded>(test, ['download', 'me/tiny', ...patterns]);
    const cacheDir = join(test.folder, 'ours');
    const dir = await downloadModel('me/tiny', { settings: test.settings({ cacheDir }) });
    expect(Object.keys(theirs.files).sort()).toHaveLength(6);
    expect(dir.slice(cacheDir.length)).toBe(theirs.path.slice(join(test.folder, 'hf/hub').length));
    for (const [name, blob] of Object.entries(theirs.files)) {
      expect((await readlink(join(dir, name))).split('/').at(-1)).toBe(blob.split('/').at(-1));
    }
    expect(await readFile(join(dir, 'model.safetensors'))).toEqual(weights);
    const tree = `models--me--tiny/trees/${theirs.path.split('/').at(-1)}.json`;
    const trees = [join(cacheDir, tree), join(test.folder, 'hf/hub', tree)];
    const [mine, official] = await Promise.all(trees.map((path) => readFile(path, 'utf8')));
    expect(JSON.parse(mine!)).toEqual(JSON.parse(official!));
  });

  it('uses what we downloaded, offline', async () => {
    publish();
    const dir = await downloadModel('me/tiny', { settings: test.settings() });
    test.hub.clear();
    const theirs = await runPython<Downloaded>(test, ['download', 'me/tiny', ...patterns], {
      HF_HUB_OFFLINE: '1',
    });
    expect(theirs.path).toBe(dir);
    expect(test.hub.requests).toEqual([]);
  });

  it('downloads what we use, offline', async () => {
    publish();
    const theirs = await runPython<Downloaded>(test, ['download', 'me/tiny', ...patterns]);
    test.hub.clear();
    expect(await downloadModel('me/tiny', { settings: test.settings({ offline: true }) })).toBe(theirs.path);
    expect(await downloadModel('me/tiny', { settings: test.settings() })).toBe(theirs.path);
    expect(test.hub.requests).toHaveLength(1); // which commit main is at
  });

  it('uploads a folder: create, preupload, LFS batch, storage, verify, commit', async () => {
    const folder = join(test.folder, 'model');
    await mkdir(folder);
    const weights = randomBytes(200_000);
    await writeFile(join(folder, 'model.safetensors'), weights);
    await writeFile(join(folder, 'config.json'), '{}');
    await writeFile(join(folder, 'README.md'), '---\nlicense: mit\n---\n# hello\n');
    const { oid, files } = await runPython<{ oid: string; files: string[] }>(
      test,
      ['upload', folder, 'me/new', 'first words'],
      { HF_TOKEN: token },
    );
    const repo = test.hub.store.find('model', 'me/new')!;
    expect(files).toEqual(['README.md', 'config.json', 'model.safetensors']);
    expect(repo.private).toBe(true);
    expect(repo.branches.get('main')).toBe(oid);
    expect(repo.commits.get(oid)!.title).toBe('first words');
    expect(repo.commits.get(oid)!.files.get('model.safetensors')).toMatchObject({ content: weights });
    const urls = test.hub.requests.map(({ method, url }) => `${method} ${url.split('?')[0]}`);
    for (const step of ['/preupload/main', '/objects/batch', '/objects/verify', '/commit/main']) {
      expect(urls.filter((url) => url.endsWith(step))).toHaveLength(1);
    }
    expect(urls.filter((url) => /^PUT \/[0-9a-f]{64}$/.test(url))).toHaveLength(1);
  });

  it('uploads a very large file in parts', async () => {
    test.hub.partSize = 60_000;
    const folder = join(test.folder, 'model');
    await mkdir(folder);
    const weights = randomBytes(200_000);
    await writeFile(join(folder, 'model.safetensors'), weights);
    await runPython(test, ['upload', folder, 'me/parts', 'in parts'], { HF_TOKEN: token });
    const repo = test.hub.store.find('model', 'me/parts')!;
    const { files } = repo.commits.get(repo.branches.get('main')!)!;
    expect(files.get('model.safetensors')!.content.equals(weights)).toBe(true);
    expect(test.hub.requests.filter(({ method }) => method === 'PUT')).toHaveLength(4);
  });

  it('load_dataset reads the files that we find, for every layout', async () => {
    const asked = datasetLayouts.map((layout, index) => {
      publishDataset(test, `me/rows${index}`, layout);
      return [`me/rows${index}`, layout.python ?? {}];
    });
    const theirs = await runPython<Record<string, { file: string }[]>[]>(test, [
      'datasets',
      JSON.stringify(asked),
    ]);
    const found = theirs.map((splits) =>
      Object.fromEntries(
        Object.entries(splits).map(([split, rows]) => [split, rows.map(({ file }) => file).sort()]),
      ),
    );
    expect(found).toEqual(datasetLayouts.map(({ expected }) => expected));
  });
});
