import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { parseConfig } from '../../src/config/read/parse-config.js';
import type { HubEvent } from '../../src/events/hub-event.js';
import { modelCard } from '../../src/publish/model-card.js';
import { publishModel } from '../../src/publish/publish-model.js';
import { RunRecord } from '../../src/publish/run-record.js';
import { uploadCommand } from '../../src/publish/upload-command.js';
import { events } from '../trackers/terminal/events.js';
import { hubTest, token } from '../hub/hub-test.js';

const test = hubTest();
const datasets = ['openai/gsm8k', '/home/ann/secret plans/my|rows.jsonl'];

function config(more: object = {}) {
  return parseConfig(
    {
      modelName: 'HuggingFaceTB/SmolLM2-135M',
      outputDir: '/home/ann/out',
      datasetsConfig: { ideas: [datasets[0]], attention: [datasets[1]] },
      huggingfaceRepo: 'me/tiny',
      trainingConfig: { learningRate: 3e-5, wandbEntity: 'my-company' },
      ...more,
    },
    { HF_TOKEN: token },
  );
}

function record(): RunRecord {
  const run = new RunRecord();
  const counts = {
    droppedTooLong: 0,
    droppedNoTrainedToken: 0,
    skippedByFunction: 0,
    skippedBad: 0,
    badRows: [],
    ignoredColumns: [],
    trimmedTo: null,
  };
  run.onEvent({
    type: 'datasets',
    report: datasets.map((name, index) => ({
      name,
      style: index === 0 ? ('ideas' as const) : ('attention' as const),
      ...counts,
      train: 7000 + index,
      eval: 70,
      evalFrom: 'split',
      tokens: 90_000,
      trainedTokens: 45_678,
      systemPrompt: '',
    })),
  });
  for (const event of [events.start, events.evaluate, events.end]) run.onEvent(event);
  return run;
}

describe('modelCard', () => {
  const card = modelCard('me/tiny', config(), record());
  const [, metadata = '', body = ''] = /^---\n([^]*?\n)---\n([^]*)$/.exec(card) ?? [];

  it('has the metadata that the Hub reads, and no license, for none is known', () => {
    expect(parse(metadata)).toEqual({
      base_model: 'HuggingFaceTB/SmolLM2-135M',
      datasets: ['openai/gsm8k'],
      library_name: 'transformers',
      pipeline_tag: 'text-generation',
      tags: ['adaptive-trainer', 'adaptive-loss', 'sft'],
    });
  });

  it('tells the data, the settings and the results', () => {
    expect(body).toContain('# tiny\n');
    expect(body).toContain(
      '| [openai/gsm8k](https://huggingface.co/datasets/openai/gsm8k) | ideas | 7,000 | 70 | 45,678 |',
    );
    expect(body).toContain('| `learningRate` | 0.00003 |');
    expect(body).toContain('| `topK` | 8 |');
    expect(body).toMatch(/\| Mean training loss \| [\d.]+ \|/);
    expect(body).toMatch(/\| Perplexity \| [\d.]+ \|/);
    expect(body).toContain('pipeline("text-generation", model="me/tiny")');
  });

  it('tells nothing of the machine and the account it was made on', () => {
    expect(body).toContain('my\\|rows.jsonl');
    for (const own of ['/home/ann', 'secret plans', 'my-company', token]) expect(card).not.toContain(own);
  });

  it('names a local base model by its last part only, and not in the metadata', () => {
    const local = modelCard('me/tiny', config({ modelName: '/home/ann/models/base' }), record());
    expect(local).toContain('base, fine-tuned with');
    expect(local).not.toMatch(/base_model|\/home/);
  });
});

describe('publishModel', () => {
  async function publish(overrides: object = {}, more: object = {}) {
    const folder = join(test.folder, 'final model');
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'config.json'), '{}');
    await writeFile(join(folder, 'model.safetensors'), 'weights');
    const [warnings, told]: [string[], HubEvent[]] = [[], []];
    await publishModel({
      folder,
      config: config(more),
      run: record(),
      settings: test.settings({ token, ...overrides }),
      onWarning: (message) => warnings.push(message),
      onEvent: (event) => told.push(event),
    });
    return { folder, warnings, told };
  }

  it('uploads the model with its card', async () => {
    const { warnings, told } = await publish(
      {},
      { uploadConfig: { isPrivateRepo: true, commitMessage: 'mine' } },
    );
    expect(warnings).toEqual([]);
    expect(told.at(-1)).toMatchObject({ type: 'uploaded', url: `${test.hub.endpoint}/me/tiny` });
    const repo = test.hub.store.find('model', 'me/tiny')!;
    const { title, files } = repo.commits.get(repo.branches.get('main')!)!;
    expect([...files.keys()].sort()).toEqual(['README.md', 'config.json', 'model.safetensors']);
    expect(files.get('README.md')!.content.toString()).toContain('base_model');
    expect([repo.private, title]).toEqual([true, 'mine']);
  });

  it('has the commit message of the Python package by default', async () => {
    await publish();
    const repo = test.hub.store.find('model', 'me/tiny')!;
    expect(repo.commits.get(repo.branches.get('main')!)!.title).toBe(
      'Upload fine-tuned model with adaptive-select loss',
    );
  });

  it('warns with the command when it fails, and the model stays', async () => {
    test.hub.fail(/\/commit\//, { kind: 'status', status: 500 }, 99);
    const { folder, warnings } = await publish(
      {},
      { uploadConfig: { isPrivateRepo: true, commitMessage: "it's" } },
    );
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain('HTTP 500');
    expect(warnings[0]).toContain(
      `adaptive-trainer upload '${folder}' me/tiny --private --message 'it'\\''s'`,
    );
    expect(warnings[0]).not.toContain(token);
    expect(await readFile(join(folder, 'model.safetensors'), 'utf8')).toBe('weights');
    expect(await readFile(join(folder, 'README.md'), 'utf8')).toContain('base_model');
  });

  it.each<[string, object]>([
    ['no server', { endpoint: 'http://127.0.0.1:1' }],
    ['offline', { offline: true }],
    ['a wrong token', { token: 'hf_wrongWrongWrongWrongWrongWrong1' }],
  ])('never throws: %s', async (_name, overrides) => {
    const { warnings } = await publish(overrides);
    expect(warnings).toEqual([expect.stringMatching(/not uploaded to me\/tiny.*adaptive-trainer upload/)]);
    expect(warnings[0]).not.toMatch(/hf_\w{20}/);
  });

  it('without a token asks nothing of the Hub', async () => {
    const { folder, warnings } = await publish({ token: undefined });
    expect([warnings, test.hub.requests]).toEqual([[], []]);
    expect(await readFile(join(folder, 'README.md'), 'utf8')).toContain('base_model');
  });

  it('without a repository does nothing', async () => {
    await publish({}, { huggingfaceRepo: null });
    expect(test.hub.requests).toEqual([]);
  });
});

describe('uploadCommand', () => {
  it('can be pasted into a shell', () => {
    expect(uploadCommand('out/final_model', 'me/tiny', false)).toBe(
      'adaptive-trainer upload out/final_model me/tiny',
    );
    expect(uploadCommand('a b', 'me/tiny', true, '$(x)')).toBe(
      "adaptive-trainer upload 'a b' me/tiny --private --message '$(x)'",
    );
  });
});
