import { createHash, randomBytes } from 'node:crypto';
import { lstat, mkdir, readFile, readdir, readlink, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { downloadModel } from '../../src/hub/models/download-model.js';
import { downloadSnapshot } from '../../src/hub/cache/download-snapshot.js';
import type { HubProgress } from '../../src/events/hub-progress.js';
import { failureOf } from './failure-of.js';
import { hubTest, token } from './hub-test.js';
import { tinyModel } from './tiny-model.js';

const test = hubTest();
const wanted = [
  'chat_template.jinja',
  'config.json',
  'generation_config.json',
  'model.safetensors',
  'tokenizer.json',
  'tokenizer_config.json',
];

function publish(weights = randomBytes(300_000), name = 'me/tiny') {
  const repo = test.hub.store.create('model', name);
  const commit = test.hub.store.put(repo, tinyModel(weights));
  return { repo, commit, weights };
}
const resolved = () => test.hub.requests.filter(({ url }) => url.includes('/resolve/')).map(({ url }) => url);
const hashOf = (content: Buffer) => createHash('sha256').update(content).digest('hex');

describe('downloadModel', () => {
  it('brings what training needs into the cache layout of Python, and nothing else', async () => {
    const { commit, weights } = publish();
    const dir = await downloadModel('me/tiny', { settings: test.settings() });

    const root = join(test.folder, 'hf/hub/models--me--tiny');
    expect(dir).toBe(join(root, 'snapshots', commit));
    expect((await readdir(dir)).sort()).toEqual(wanted);
    expect(await readFile(join(dir, 'model.safetensors'))).toEqual(weights);
    expect(await readFile(join(root, 'refs/main'), 'utf8')).toBe(commit);
    expect(await readlink(join(dir, 'model.safetensors'))).toBe(`../../blobs/${hashOf(weights)}`);
    expect((await lstat(join(dir, 'config.json'))).isSymbolicLink()).toBe(true);
    // Names of blobs, no lock, no partial file.
    for (const name of await readdir(join(root, 'blobs')))
      expect(name).toMatch(/^[0-9a-f]{40}([0-9a-f]{24})?$/);
  });

  it('asks for no file that is there', async () => {
    const { repo } = publish();
    const settings = test.settings();
    await downloadModel('me/tiny', { settings });
    test.hub.clear();
    await downloadModel('me/tiny', { settings });
    expect(test.hub.requests.map(({ url }) => url.split('?')[0])).toEqual([
      '/api/models/me/tiny/revision/main',
    ]);

    test.hub.store.put(repo, { 'config.json': '{"model_type":"qwen2"}' });
    const dir = await downloadModel('me/tiny', { settings });
    expect(await readFile(join(dir, 'config.json'), 'utf8')).toContain('qwen2');
    expect((await readdir(dir)).sort()).toEqual(wanted);
    expect(resolved()).toHaveLength(1); // the weights of both commits are one blob
  });

  it('takes a branch or a commit as revision', async () => {
    const { repo, commit } = publish();
    const other = test.hub.store.put(repo, { ...tinyModel(), 'config.json': '{"v":2}' }, 'v2');
    const settings = test.settings();
    const onBranch = await downloadModel('me/tiny', { settings, revision: 'v2' });
    expect(onBranch.endsWith(other)).toBe(true);
    expect((await downloadModel('me/tiny', { settings, revision: commit })).endsWith(commit)).toBe(true);
    const failure = await failureOf(downloadModel('me/tiny', { settings, revision: 'v3' }));
    expect(failure.message).toContain('have that revision');
    expect((await failureOf(downloadModel('me/tiny', { settings, revision: '../../x' }))).code).toBe(
      'INVALID_INPUT',
    );
  });

  it('takes the shards that the index lists, over several pages of the list', async () => {
    const repo = test.hub.store.create('model', 'me/tiny');
    const files = tinyModel();
    delete files['model.safetensors'];
    test.hub.store.put(repo, {
      ...files,
      'model.safetensors.index.json': JSON.stringify({
        weight_map: { a: 'model-00001-of-00002.safetensors', b: 'last.safetensors' },
      }),
      'model-00001-of-00002.safetensors': randomBytes(1000),
      'last.safetensors': randomBytes(1000),
      // Of another set of shards.
      'model-00002-of-00003.safetensors': randomBytes(1000),
      'consolidated.safetensors': randomBytes(1000),
    });
    test.hub.pageSize = 4;
    const dir = await downloadModel('me/tiny', { settings: test.settings() });
    const weights = (await readdir(dir)).filter((name) => name.includes('safetensors'));
    expect(weights.sort()).toEqual([
      'last.safetensors',
      'model-00001-of-00002.safetensors',
      'model.safetensors.index.json',
    ]);
  });

  it('tells its progress up to the last byte', async () => {
    const { weights } = publish();
    const events: HubProgress[] = [];
    await downloadModel('me/tiny', { settings: test.settings(), onProgress: (event) => events.push(event) });
    const last = events.at(-1)!;
    expect(last).toMatchObject({ repo: 'me/tiny', filesDone: 6, files: 6, received: last.total });
    expect(last.total).toBeGreaterThan(weights.length);
    const received = events.map((event) => event.received);
    expect(received).toEqual([...received].sort((a, b) => a - b));
  });

  it('fetches files side by side', async () => {
    publish();
    let [now, most] = [0, 0];
    const watching: typeof fetch = async (...args) => {
      const isFile = String(args[0]).includes('/resolve/');
      if (isFile) most = Math.max(most, ++now);
      // Until the others are there too; where they never come, the download goes on and the test fails.
      const until = performance.now() + 5000;
      while (isFile && most < 3 && performance.now() < until)
        await new Promise((done) => setTimeout(done, 5));
      return fetch(...args).finally(() => isFile && now--);
    };
    await downloadModel('me/tiny', { settings: test.settings({ fetch: watching, parallelFiles: 3 }) });
    expect(most).toBe(3);
  });

  it('refuses a model without safetensors, naming what there is', async () => {
    test.hub.store.put(test.hub.store.create('model', 'me/old'), {
      'config.json': '{}',
      'pytorch_model.bin': 'x',
    });
    const failure = await failureOf(downloadModel('me/old', { settings: test.settings() }));
    expect(failure.code).toBe('MODEL_UNSUPPORTED');
    expect(failure.message).toContain('pytorch_model.bin');
    expect(resolved()).toEqual([]);
  });

  it('stops when told to, and goes on later', async () => {
    const { weights } = publish();
    test.hub.fail(/\/[0-9a-f]{64}/, { kind: 'stall', after: 100_000 });
    const stop = new AbortController();
    const download = failureOf(downloadModel('me/tiny', { settings: test.settings(), signal: stop.signal }));
    const partial = join(test.folder, 'hf/hub/models--me--tiny/blobs', `${hashOf(weights)}.incomplete`);
    await expect.poll(async () => (await stat(partial).catch(() => undefined))?.size ?? 0).toBeGreaterThan(0);
    stop.abort();
    expect((await download).code).toBe('ABORTED');
    test.hub.clear();
    await downloadModel('me/tiny', { settings: test.settings() });
    const rest = test.hub.requests.find(({ host }) => host === 'storage')!;
    expect(Number(/^bytes=(\d+)-$/.exec(rest.headers.range ?? '')?.[1])).toBeGreaterThan(0);
  });
});

describe('resuming', () => {
  it('asks only for what is missing of a partial file, and checks the whole', async () => {
    const { weights } = publish();
    const blobs = join(test.folder, 'hf/hub/models--me--tiny/blobs');
    await mkdir(blobs, { recursive: true });
    await writeFile(join(blobs, `${hashOf(weights)}.incomplete`), weights.subarray(0, 123_456));
    const dir = await downloadModel('me/tiny', { settings: test.settings() });
    const fetched = test.hub.requests.filter(({ host }) => host === 'storage');
    expect(fetched.map(({ headers }) => headers.range)).toEqual(['bytes=123456-']);
    expect(await readFile(join(dir, 'model.safetensors'))).toEqual(weights);
  });

  it.each([
    ['with other bytes', (weights: Buffer) => randomBytes(weights.length / 2)],
    ['that is too long', (weights: Buffer) => Buffer.concat([weights, weights])],
    ['that is whole but wrong', (weights: Buffer) => randomBytes(weights.length)],
  ])('fetches anew in place of a partial file %s', async (_what, make) => {
    const { weights } = publish();
    const blobs = join(test.folder, 'hf/hub/models--me--tiny/blobs');
    await mkdir(blobs, { recursive: true });
    await writeFile(join(blobs, `${hashOf(weights)}.incomplete`), make(weights));
    const dir = await downloadModel('me/tiny', { settings: test.settings() });
    expect(await readFile(join(dir, 'model.safetensors'))).toEqual(weights);
  });

  it('starts anew where the server ignores the range', async () => {
    const { weights } = publish();
    const blobs = join(test.folder, 'hf/hub/models--me--tiny/blobs');
    await mkdir(blobs, { recursive: true });
    await writeFile(join(blobs, `${hashOf(weights)}.incomplete`), weights.subarray(0, 1000));
    const noRange: typeof fetch = (input, init) => {
      const headers = new Headers(init?.headers);
      headers.delete('range');
      return fetch(input, { ...init, headers });
    };
    const dir = await downloadModel('me/tiny', { settings: test.settings({ fetch: noRange }) });
    expect(await readFile(join(dir, 'model.safetensors'))).toEqual(weights);
  });
});

describe('HF_HUB_OFFLINE', () => {
  it('works from the cache alone', async () => {
    const { weights } = publish();
    await downloadModel('me/tiny', { settings: test.settings() });
    test.hub.clear();
    const dir = await downloadModel('me/tiny', { settings: test.settings({ offline: true }) });
    expect(await readFile(join(dir, 'model.safetensors'))).toEqual(weights);
    expect(test.hub.requests).toEqual([]);
  });

  it('says what is not there', async () => {
    const failure = await failureOf(downloadModel('me/tiny', { settings: test.settings({ offline: true }) }));
    expect(failure.code).toBe('HUB_FAILED');
    expect(failure.message).toMatch(
      /"me\/tiny" at "main" in the cache but it is not in .*HF_HUB_OFFLINE is set/,
    );
    expect(test.hub.requests).toEqual([]);
  });

  it('does not take a commit that is half there', async () => {
    publish();
    test.hub.fail(/\/[0-9a-f]{64}/, { kind: 'cut', after: 100 }, 99);
    await failureOf(downloadModel('me/tiny', { settings: test.settings() }));
    const failure = await failureOf(downloadModel('me/tiny', { settings: test.settings({ offline: true }) }));
    expect(failure.code).toBe('HUB_FAILED');
  });

  it('is what happens, with a warning, when the Hub cannot be reached', async () => {
    publish();
    await downloadModel('me/tiny', { settings: test.settings() });
    const warnings: string[] = [];
    const settings = test.settings({ endpoint: 'http://127.0.0.1:9' });
    const dir = await downloadModel('me/tiny', { settings, onWarning: (message) => warnings.push(message) });
    expect((await stat(join(dir, 'model.safetensors'))).size).toBe(300_000);
    expect(warnings).toEqual([expect.stringContaining('cannot be reached')]);
  });
});

describe('the token', () => {
  it('goes to the Hub and not to the storage it sends on to', async () => {
    publish();
    await downloadModel('me/tiny', { settings: test.settings({ token }) });
    for (const { host, headers } of test.hub.requests) {
      expect(headers.authorization).toBe(host === 'hub' ? `Bearer ${token}` : undefined);
    }
    expect(new Set(test.hub.requests.map(({ host }) => host))).toEqual(new Set(['hub', 'storage']));
  });

  it('opens a private and a gated repository', async () => {
    publish().repo.private = true;
    publish(randomBytes(500), 'me/gated').repo.gated = true;
    const settings = test.settings({ token });
    await downloadModel('me/tiny', { settings });
    await downloadModel('me/gated', { settings });
  });
});

describe('downloadSnapshot', () => {
  const files = { 'a.json': '1', 'b.json': '2', 'data/c.json': '3', 'data/d.bin': '4', 'readme.md': '5' };
  it.each([
    [{}, ['a.json', 'b.json', 'data', 'readme.md']],
    [{ allowPatterns: ['*.json'] }, ['a.json', 'b.json']],
    [{ allowPatterns: ['**/*.json'], ignorePatterns: ['b.*'] }, ['a.json', 'data']],
    [{ ignorePatterns: ['data/**', 'readme.md'] }, ['a.json', 'b.json']],
  ])('fetches what %j allows', async (patterns, found) => {
    test.hub.store.put(test.hub.store.create('dataset', 'me/files'), files);
    const repo = { type: 'dataset', name: 'me/files' } as const;
    const dir = await downloadSnapshot({ repo, settings: test.settings(), ...patterns });
    expect((await readdir(dir)).sort()).toEqual(found);
  });
});
