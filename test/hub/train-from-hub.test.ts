import { readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { TrainAdaptivelyOptions } from '../../src/config/schema/train-adaptively-options.js';
import type { HubEvent } from '../../src/events/hub-event.js';
import { CausalLM } from '../../src/model/causal-lm.js';
import { Tokenizer } from '../../src/tokenizer/tokenizer.js';
import { trainAdaptively } from '../../src/train-adaptively.js';
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
