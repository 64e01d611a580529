import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { validateConfig } from '../../src/validate/validate-config.js';
import { downloadDataset } from '../../src/hub/datasets/download-dataset.js';
import { downloadModel } from '../../src/hub/models/download-model.js';
import type { ConfigFault } from '../../src/common/config-fault.js';
import { runCommand } from '../cli/run-command.js';
import { seedDir } from '../tokenizer/open-tokenizer.js';
import { failureOf } from './failure-of.js';
import { hubTest, token } from './hub-test.js';

const test = hubTest();
const row = '{"question":"q","answer":"a"}\n';
const location = {
  ...{ configName: null, revision: null, dataDir: null, dataFiles: null },
  ...{ trainSplit: 'train', valSplit: 'validation' },
};

async function publish(): Promise<void> {
  const files: Record<string, Buffer> = {};
  for (const name of await readdir(seedDir)) files[name] = await readFile(join(seedDir, name));
  const { store } = test.hub;
  store.put(store.create('model', 'some/seed'), files);
  store.put(store.create('model', 'some/gated', { gated: true }), files);
  store.put(store.create('model', 'some/pickled'), { 'config.json': '{}', 'pytorch_model.bin': 'x' });
  store.put(store.create('dataset', 'some/rows'), { 'train.jsonl': row });
  store.put(store.create('dataset', 'some/gated', { gated: true }), { 'train.jsonl': row });
  store.put(store.create('dataset', 'some/pictures'), { 'a.png': 'x' });
}

const good = { modelName: 'some/seed', datasetsConfig: { ideas: ['some/rows:|:1'] } };
const validate = (change: object, env: NodeJS.ProcessEnv = {}) =>
  validateConfig(
    { ...good, outputDir: join(test.folder, 'out'), ...change },
    { HF_ENDPOINT: test.hub.endpoint, HF_HOME: join(test.folder, 'hf'), ...env },
  );
const faultsOf = async (change: object, env?: NodeJS.ProcessEnv) =>
  (await failureOf(validate(change, env))).details['faults'] as ConfigFault[];

beforeEach(publish);
afterEach(() => test.hub.clear());

describe('a model and datasets on the Hub', () => {
  it('are asked for, and of weights and rows no more than the header is fetched', async () => {
    const { notes } = await validate({});
    expect(notes).toEqual([
      'datasetsConfig.ideas[0]: "some/rows" is on the Hub; its rows are read when it is trained on',
    ]);
    const asked = test.hub.requests.map(({ url }) => url);
    expect(asked.filter((url) => /train\.jsonl/.test(url))).toEqual([]);
    const stored = test.hub.requests.filter(({ host }) => host === 'storage');
    expect(stored.map(({ headers }) => headers.range)).toEqual(['bytes=0-65535']);
    const blobs = await readdir(join(test.folder, 'hf/hub/models--some--seed/blobs'));
    expect(blobs.filter((name) => name.length === 64)).toEqual([]);
    expect(asked.filter((url) => url.includes('/resolve/')).length).toBeGreaterThan(2); // the tokenizer
  });

  it('that cannot be used are told, all at once', async () => {
    const faults = await faultsOf({
      modelName: 'some/pickled',
      datasetsConfig: { ideas: ['some/none', 'some/rows'], both: ['some/pictures', 'some/gated'] },
      trainingConfig: { batchSize: 0 },
    });
    expect(faults.map(({ path, message }) => `${path}: ${message}`)).toEqual([
      expect.stringMatching(/^trainingConfig\.batchSize: /),
      expect.stringMatching(/^modelName: .*safetensors.*pytorch_model\.bin.*There is no folder/s),
      expect.stringMatching(
        /^datasetsConfig\.ideas\[0\]: .*"some\/none" .*missing or private.*There is no \//s,
      ),
      expect.stringMatching(/^datasetsConfig\.both\[0\]: .*JSONL, JSON, CSV or Parquet.*a\.png/s),
      expect.stringMatching(/^datasetsConfig\.both\[1\]: .*gated.*Visit .*\/datasets\/some\/gated/s),
    ]);
  });

  it.each([
    ['tensors that are missing', { num_hidden_layers: 99 }, /missing: model\.layers\.\d+\./],
    ['tensors of another shape', { intermediate_size: 77 }, /of another shape: .*mlp/],
    ['a family that is not there', { model_type: 'mamba' }, /mamba/],
  ])('that cannot be computed are found before any row is rendered: %s', async (_, change, message) => {
    const { store } = test.hub;
    const config = JSON.parse(await readFile(join(seedDir, 'config.json'), 'utf8')) as object;
    store.put(store.find('model', 'some/seed')!, { 'config.json': JSON.stringify({ ...config, ...change }) });
    const faults = await faultsOf({});
    expect(faults).toEqual([
      expect.objectContaining({ path: 'modelName', message: expect.stringMatching(message) }),
    ]);
    expect(test.hub.requests.some(({ url }) => url.includes('tokenizer.json'))).toBe(false);
  });

  it('whose weights were cut short are found', async () => {
    const { store } = test.hub;
    const weights = await readFile(join(seedDir, 'model.safetensors'));
    store.put(store.find('model', 'some/seed')!, { 'model.safetensors': weights.subarray(0, -4) });
    expect((await faultsOf({}))[0]!.message).toMatch(/of a copy that was cut short/);
  });

  it('that are missing or gated give their page', async () => {
    expect((await faultsOf({ modelName: 'some/none' }))[0]!.message).toContain(
      `${test.hub.endpoint}/some/none`,
    );
    expect((await faultsOf({ modelName: 'some/gated' }))[0]!.message).toContain('Visit');
    await validate({ modelName: 'some/gated' }, { HF_TOKEN: token });
  });

  it('are not blamed for a Hub that is down', async () => {
    for (const status of [503, 429]) {
      test.hub.clear();
      test.hub.fail(/api/, { kind: 'status', status, headers: { 'retry-after': '0' } }, 99);
      const { notes } = await validate({});
      expect(notes).toEqual([
        expect.stringMatching(/^modelName: could not be checked\. .*HTTP/),
        expect.stringMatching(/^datasetsConfig\.ideas\[0\]: could not be checked\. .*HTTP/),
      ]);
    }
  });

  it('offline the cache decides, and its rows are tried', async () => {
    const settings = test.settings();
    const offline = { HF_HUB_OFFLINE: '1' };
    const before = await faultsOf({}, offline);
    expect(before.map(({ path, message }) => [path, /in the cache/.test(message)])).toEqual([
      ['modelName', true],
      ['datasetsConfig.ideas[0]', true],
    ]);
    await downloadModel('some/seed', { settings });
    const files = await downloadDataset('some/rows', location, { settings });
    test.hub.clear();
    expect((await validate({}, offline)).notes).toEqual([]);
    await writeFile(files.train[0]!, '{"foo":1}\n');
    expect((await faultsOf({}, offline))[0]!.message).toMatch(/columns are: foo/);
    expect(test.hub.requests).toEqual([]);
  });
});

describe('the repository to upload to', () => {
  const upload = (repo: string, more: object = {}) =>
    validate(
      { datasetsConfig: { ideas: ['some/rows'] }, huggingfaceRepo: repo, ...more },
      { HF_TOKEN: token },
    );
  const noteOf = async (repo: string, more?: object) =>
    (await upload(repo, more)).notes.find((note) => note.startsWith('huggingfaceRepo'));

  it('is there or will be made', async () => {
    expect(await noteOf('me/new', { uploadConfig: { isPrivateRepo: true } })).toMatch(
      /will be made, private/,
    );
    expect(await noteOf('new')).toMatch(
      /^huggingfaceRepo: me\/new is not on the Hub yet and will be made, public/,
    );
    test.hub.store.create('model', 'me/old');
    expect(await noteOf('me/old')).toMatch(/is on the Hub already and public/);
    expect(test.hub.requests.every(({ method }) => method === 'GET' || method === 'HEAD')).toBe(true);
  });

  it('of others, or with a token that may only read, is refused', async () => {
    const faults = async (repo: string) => (await failureOf(upload(repo))).details['faults'] as ConfigFault[];
    expect((await faults('you/model'))[0]).toMatchObject({ path: 'huggingfaceRepo' });
    test.hub.account = { orgs: [{ name: 'you' }] };
    expect(await noteOf('you/model')).toMatch(/will be made/);
    test.hub.account = { auth: { accessToken: { role: 'read' } } };
    expect((await faults('me/model'))[0]!.message).toMatch(/may only read/);
  });

  it('with a token that the Hub refuses is refused, and the token is not told', async () => {
    const secret = 'hf_thisOneIsNotKnownThere123456';
    const failure = await failureOf(
      validate(
        {
          modelName: seedDir,
          datasetsConfig: { ideas: [{ name: 'a', train: [{ question: 'q', answer: 'a' }] }] },
          huggingfaceRepo: 'me/x',
        },
        { HF_TOKEN: secret },
      ),
    );
    expect(failure.message).toMatch(/huggingfaceRepo: expected a token that the Hub takes.*HTTP 401/);
    expect(failure.message).not.toContain(secret);
  });

  it('without a token or offline is not asked for', async () => {
    const { config, notes } = await validate({ huggingfaceRepo: 'me/x' });
    expect(config.warnings.map(({ code }) => code)).toEqual(['NOTHING_UPLOADED']);
    expect(notes.filter((note) => note.startsWith('huggingfaceRepo'))).toEqual([]);
    await downloadModel('some/seed', { settings: test.settings() });
    await downloadDataset('some/rows', location, { settings: test.settings() });
    const offline = await validate({ huggingfaceRepo: 'me/x' }, { HF_TOKEN: token, HF_HUB_OFFLINE: '1' });
    expect(offline.notes[0]).toMatch(/HF_HUB_OFFLINE is set, so me\/x was not looked for/);
  });
});

it('the command line asks too', async () => {
  const file = join(test.folder, 'config.json');
  await writeFile(
    file,
    JSON.stringify({ model_name: 'some/none', output_dir: 'out', datasets_config: { ideas: ['some/rows'] } }),
  );
  const env = { HF_ENDPOINT: test.hub.endpoint, HF_HOME: join(test.folder, 'hf') };
  const { status, stderr } = await runCommand('src/cli/main.ts', ['validate', file], env);
  expect(stderr).toMatch(/model_name: .*"some\/none" on the Hub but it is missing or private/);
  expect(status).toBe(1);
});
