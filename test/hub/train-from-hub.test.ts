import { cp, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { TrainAdaptivelyOptions } from '../../src/config/schema/train-adaptively-options.js';
import type { HubEvent } from '../../src/events/hub-event.js';
import { CausalLM } from '../../src/model/causal-lm.js';
import { Tokenizer } from '../../src/tokenizer/tokenizer.js';
import { trainAdaptively } from '../../src/train-adaptively.js';
import { AdaptiveTrainer } from '../../src/trainer/adaptive-trainer.js';
import { validateConfig } from '../../src/validate/validate-config.js';
import type { TrainingEvent } from '../../src/events/training-event.js';
import { failureOf } from './failure-of.js';
import { hubTest, token } from './hub-test.js';
import { runCommand } from '../cli/run-command.js';

const test = hubTest();
const seedModel = new URL('../../examples/seed-lm/', import.meta.url).pathname;
const rows = Array.from({ length: 12 }, (_, i) => ({
  prompt: `What is ${i} plus ${i}?`,
  response: `It is ${2 * i}.`,
}));

async function publish() {
  const files: Record<string, Buffer> = {};
  for (const name of await readdir(seedModel)) files[name] = await readFile(join(seedModel, name));
  test.hub.store.put(test.hub.store.create('model', 'me/seed'), files);
  const jsonl = (some: object[]) => some.map((row) => `${JSON.stringify(row)}\n`).join('');
  test.hub.store.put(test.hub.store.create('dataset', 'me/sums'), {
    'data/train-00000-of-00001.jsonl': jsonl(rows),
    'data/test-00000-of-00001.jsonl': jsonl(rows.slice(0, 3)),
  });
}
const environment = () => ({
  ...{ HF_ENDPOINT: test.hub.endpoint, HF_HOME: join(test.folder, 'hf'), HF_TOKEN: token },
  ADAPTIVE_TRAINER_CACHE: process.env['ADAPTIVE_TRAINER_CACHE'],
});
const config = (): TrainAdaptivelyOptions => ({
  ...{ modelName: 'me/seed', outputDir: join(test.folder, 'out'), datasetsConfig: { ideas: ['me/sums'] } },
  ...{ huggingfaceRepo: 'me/tuned', uploadConfig: { isPrivateRepo: true } },
  trainingConfig: {
    ...{ maxSteps: 2, batchSize: 2, gradientAccumulationSteps: 1, warmupSteps: 0, fp16: false },
    useWandb: false,
  },
});

/** All bytes of all files below a folder. */
async function everythingIn(folder: string): Promise<Map<string, Buffer>> {
  const found = new Map<string, Buffer>();
  for (const name of await readdir(folder, { recursive: true })) {
    const path = join(folder, name);
    if ((await stat(path)).isFile()) found.set(name, await readFile(path));
  }
  return found;
}

describe('a run from the Hub to the Hub', () => {
  beforeEach(async () => {
    for (const [name, value] of Object.entries(environment())) vi.stubEnv(name, value);
    await publish();
  });
  afterEach(() => void vi.unstubAllEnvs());

  it('downloads model and data, trains, uploads; the token is in nothing that it writes or tells', async () => {
    const told: (TrainingEvent | HubEvent)[] = [];
    const note = (event: TrainingEvent | HubEvent) => void told.push(event);
    const path = await trainAdaptively(config(), { progress: false, onEvent: note, onHub: note });

    const repo = test.hub.store.find('model', 'me/tuned')!;
    const { files } = repo.commits.get(repo.branches.get('main')!)!;
    expect(repo.private).toBe(true);
    for (const [name, content] of await everythingIn(path)) {
      // Compared as a whole: a difference of megabytes is nothing to print.
      expect([name, files.get(name)?.content.equals(content)]).toEqual([name, true]);
    }
    const card = files.get('README.md')!.content.toString();
    expect(card).toMatch(/base_model: me\/seed\ndatasets:\n +- me\/sums\n/);
    expect(card).toMatch(/\| Steps \| 2 \|/);

    expect(told.filter(({ type }) => type === 'warning')).toEqual([]);
    expect(told.filter(({ type }) => type === 'download').length).toBeGreaterThan(0);
    expect(told.at(-1)).toMatchObject({ type: 'uploaded', url: `${test.hub.endpoint}/me/tuned` });
    expect(JSON.stringify(told)).not.toContain(token);
    const written = await everythingIn(test.folder);
    expect(written.size).toBeGreaterThan(15);
    for (const [name, content] of written) expect([name, content.includes(token)]).toEqual([name, false]);
    for (const { content } of files.values()) expect(content.includes(token)).toBe(false);
  });

  it('asks for the configuration first, then headers, data and last the weights', async () => {
    await trainAdaptively({ ...config(), huggingfaceRepo: null }, { progress: false });
    const asked = test.hub.requests
      .filter(({ url, host }) => host === 'storage' || /resolve.*(json|jsonl)$/.test(url))
      .map(({ url, host, headers }) => (host === 'storage' ? (headers.range ?? 'weights') : url.slice(55)));
    const order = ['config.json', 'bytes=0-65535', 'tokenizer.json', 'train-00000-of-00001.jsonl', 'weights'];
    const places = order.map((name) => asked.findIndex((one) => one.endsWith(name)));
    expect(places).toEqual([...places].sort((a, b) => a - b));
    expect(places).not.toContain(-1);
    expect(asked.filter((one) => one === 'weights')).toHaveLength(1);
  });

  it.each([
    ['a configuration that cannot be computed', { is_causal: false }, 'MODEL_UNSUPPORTED'],
    ['weights that lack tensors', { num_hidden_layers: 50 }, 'WEIGHTS_MISMATCH'],
  ])('fetches neither data nor weights for %s', async (_, change, code) => {
    const { store } = test.hub;
    const stated = JSON.parse(await readFile(join(seedModel, 'config.json'), 'utf8')) as object;
    store.put(store.find('model', 'me/seed')!, { 'config.json': JSON.stringify({ ...stated, ...change }) });
    const failure = await failureOf(trainAdaptively(config(), { progress: false }));
    expect(failure.code).toBe(code);
    const asked = test.hub.requests.filter(
      ({ url, host }) => host === 'storage' || /sums|tokenizer/.test(url),
    );
    expect(asked.filter(({ headers }) => headers.range !== 'bytes=0-65535')).toEqual([]);
  });

  it('does not fetch weights for data that nothing can be trained on, or where they will be new', async () => {
    const { store } = test.hub;
    const options = { ...config(), huggingfaceRepo: null };
    const weights = () =>
      test.hub.requests.filter(({ host, headers }) => host === 'storage' && !headers.range);
    const { trainingConfig } = options;
    const path = await trainAdaptively(
      { ...options, trainingConfig: { ...trainingConfig, fromScratch: true } },
      { progress: false },
    );
    expect((await stat(join(path, 'model.safetensors'))).size).toBeGreaterThan(1e6);
    expect(weights()).toEqual([]);
    store.put(store.find('dataset', 'me/sums')!, { 'data/train-00000-of-00001.jsonl': '{"a":1}\n' });
    const outputDir = join(test.folder, 'other');
    const failure = await failureOf(trainAdaptively({ ...options, outputDir }, { progress: false }));
    expect(failure.code).toBe('DATASET_INVALID');
    expect(weights()).toEqual([]);
  });

  it('refuses early to save an adapter over its base', async () => {
    const dir = join(test.folder, 'out', 'final_model');
    await cp(seedModel, dir, { recursive: true });
    const options = {
      ...{ ...config(), modelName: dir, peftConfig: { r: 2 } },
      trainingConfig: { overwriteOutputDir: true },
    };
    const failure = await failureOf(trainAdaptively(options, { progress: false }));
    expect(failure.message).toContain(`Expected another folder than that of the base model`);
    const faults = await failureOf(validateConfig(options));
    expect(faults.message).toMatch(/outputDir: .*another folder than that of the base model/);
    // Neither asked for the data.
    expect(test.hub.requests.filter(({ url }) => url.includes('/resolve/'))).toEqual([]);
    const model = await CausalLM.fromPretrained(dir, { adapter: { r: 2 } });
    const trainer = new AdaptiveTrainer({
      ...{ model, outputDir: join(test.folder, 'out'), args: { overwriteOutputDir: true } },
      trainDataset: [{ inputIds: [1, 2, 3], labels: [1, 2, 3], learningStyle: 'ideas' }],
    });
    await expect(trainer.train()).rejects.toThrow('another folder than that of the base model');
    model.dispose();
  });

  it('ends well when the upload fails: a warning with the command, and the model', async () => {
    test.hub.fail(/repos\/create/, { kind: 'status', status: 400, body: `{"error":"no, ${token}"}` }, 99);
    const told: TrainingEvent[] = [];
    const path = await trainAdaptively(config(), {
      progress: false,
      onEvent: (event) => void told.push(event),
    });
    const warnings = told.filter((event) => event.type === 'warning');
    expect(warnings).toEqual([expect.objectContaining({ code: 'NOT_UPLOADED' })]);
    expect(warnings[0]!.message).toContain(`adaptive-trainer upload ${path} me/tuned --private`);
    expect(JSON.stringify(told)).not.toContain(token);
    expect((await stat(join(path, 'model.safetensors'))).size).toBeGreaterThan(1e6);
  });

  it('prints no token either: the command line', async () => {
    const file = join(test.folder, 'config.json');
    await writeFile(file, JSON.stringify(config()));
    const { status, stdout, stderr } = await runCommand('src/cli/main.ts', ['train', file], {
      ...environment(),
      DEBUG: 'adaptive-trainer',
    });
    expect(stderr).toContain('Fetching me/seed');
    expect(stderr).toContain(`Uploaded to ${test.hub.endpoint}/me/tuned`);
    expect(stdout.trim()).toBe(join(test.folder, 'out', 'final_model'));
    expect(stdout + stderr).not.toContain(token);
    expect(status).toBe(0);
  });

  it('CausalLM and Tokenizer open a name on the Hub; the tokenizer without the weights', async () => {
    const tokenizer = await Tokenizer.fromPretrained('me/seed');
    expect(tokenizer.encode('plus').length).toBeGreaterThan(0);
    expect(test.hub.requests.some(({ host }) => host === 'storage')).toBe(false);
    const model = await CausalLM.fromPretrained('me/seed');
    expect(model.vocabSize).toBe(4096);
    model.dispose();
    const failure = await failureOf(CausalLM.fromPretrained('me/seeed'));
    expect(failure.message).toMatch(
      /"me\/seeed" on the Hub but it is missing or private.*There is no folder .* either/,
    );
    expect((await failureOf(CausalLM.fromPretrained('./me/seed'))).code).toBe('MODEL_NOT_FOUND');
  });
});
