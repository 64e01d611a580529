import { readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { chatChunks } from '../../src/data/chats/chat-chunks.js';
import { DatasetMixer, type DatasetMixerOptions } from '../../src/data/dataset-mixer.js';
import { EventLoopPacer } from '../../src/data/tokens/event-loop-pacer.js';
import type { MixProgress } from '../../src/events/dataset-report.js';
import type { MixedDatasets } from '../../src/data/mix/mixed-datasets.js';
import { openDataset } from '../../src/data/sources/open-dataset.js';
import { planDatasets } from '../../src/config/datasets/plan-datasets.js';
import { AdaptiveTrainerError } from '../../src/errors.js';
import { encodeChat } from '../../src/tokenizer/encode/encode-chat.js';
import { Tokenizer } from '../../src/tokenizer/tokenizer.js';
import { assistant, copySeed, openTokenizer, system, user } from '../tokenizer/open-tokenizer.js';
import { collect } from './collect.js';
import { questions, writeFiles } from './write-files.js';

// More rows than are tokenized on the main thread, so that all of this goes through worker threads and the cache.
const many = 2600;
const tokenizer = await openTokenizer('seed');

interface Built extends MixedDatasets {
  warnings: string[];
  isCached: boolean;
}

async function build(options: Omit<DatasetMixerOptions, 'tokenizer'>, own = tokenizer): Promise<Built> {
  const warnings: string[] = [];
  const progress: MixProgress[] = [];
  const mixed = await new DatasetMixer({
    tokenizer: own,
    onWarning: (message) => void warnings.push(message),
    onProgress: (one) => void progress.push(one),
    ...options,
  }).build();
  return { ...mixed, warnings, isCached: progress.some((one) => one.isCached) };
}

const idsOf = (mixed: MixedDatasets) => mixed.train.map((row) => [...row.inputIds].join(' ')).sort();

test('an abort ends the reading and the threads', async () => {
  const controller = new AbortController();
  const rows = questions(20 * many).map(({ question, answer }) => ({
    question: question.repeat(30),
    answer,
  }));
  let read = 0;
  const mixing = build({
    datasetsConfig: { ideas: [{ name: 'mine', train: rows, eval: [] }] },
    cacheDir: null,
    signal: controller.signal,
    onProgress(progress) {
      read = progress.rows;
      controller.abort();
    },
  });
  await expect(mixing).rejects.toMatchObject({ code: 'ABORTED' });
  expect(read).toBeLessThan(rows.length / 2);
});

describe('many rows', () => {
  let file: string;
  let cacheDir: string;
  let first: Built;
  beforeAll(async () => {
    file = join(await writeFiles({ 'rows.jsonl': questions(many) }), 'rows.jsonl');
    cacheDir = join(await writeFiles({}), 'tokens');
    first = await build({ datasetsConfig: { ideas: [file] }, cacheDir });
  });
  const again = (change: Partial<DatasetMixerOptions> = {}, own = tokenizer) =>
    build({ datasetsConfig: { ideas: [file] }, cacheDir, ...change }, own);

  test('come out of the threads as they do on the main thread', () => {
    expect(first.isCached).toBe(false);
    expect([first.train.length, first.eval.length]).toEqual([many * 0.95, many * 0.05]);
    const wanted = new Map(
      questions(many).map(({ question, answer }) => {
        const { inputIds, labels } = encodeChat(tokenizer, [user(question), assistant(answer)]);
        return [inputIds.join(' '), labels.join(' ')];
      }),
    );
    for (const row of [...first.train, ...first.eval]) {
      expect(wanted.get([...row.inputIds].join(' '))).toBe([...row.labels].join(' '));
    }
    expect(new Set(idsOf(first)).size).toBe(first.train.length);
    expect(first.report[0]).toMatchObject({
      tokens: first.train.reduce((sum, row) => sum + row.inputIds.length, 0),
    });
  });

  test('are the same from the cache, whatever the seed of the order', async () => {
    const second = await again();
    expect(second.isCached).toBe(true);
    expect(second.train).toEqual(first.train);
    expect(second.eval).toEqual(first.eval);
    expect(second.report).toEqual(first.report);
    const other = await again({ seed: 7 });
    expect(other.isCached).toBe(true);
    expect(idsOf(other)).toEqual(idsOf(first));
    expect(other.train).not.toEqual(first.train);
  });

  test('are made anew where the cache entry is damaged, and nothing half-written is left', async () => {
    const [name, ...others] = await readdir(cacheDir);
    expect(others).toEqual([]);
    const bytes = await readFile(join(cacheDir, name!));
    bytes[1000]! ^= 1;
    await writeFile(join(cacheDir, name!), bytes);
    const repaired = await again();
    expect(repaired.isCached).toBe(false);
    expect(repaired.train).toEqual(first.train);
    expect((await again()).isCached).toBe(true);
  });

  test('need no place for a cache', async () => {
    const inFile = await again({ cacheDir: join(file, 'tokens') });
    expect([inFile.isCached, idsOf(inFile)]).toEqual([false, idsOf(first)]);
  });
});

describe('processing functions', () => {
  test('run once a row on the main thread; what they return decides about the cache', async () => {
    const cacheDir = join(await writeFiles({}), 'tokens');
    const rows = { name: 'mine', train: questions(many), eval: [] };
    const run = async (suffix: string) => {
      const process = vi.fn(async (sample: { question: string; answer: string }) =>
        sample.question === 'q3?' ? null : ([sample.question, sample.answer + suffix] as const),
      );
      const built = await build({
        datasetsConfig: { ideas: [rows], dataProcessingFunction: process },
        cacheDir,
      });
      expect(process).toHaveBeenCalledTimes(many);
      expect(built.report[0]).toMatchObject({ train: many - 1, skippedByFunction: 1 });
      return built;
    };
    const first = await run('');
    const second = await run('');
    const other = await run('!');
    expect([first.isCached, second.isCached, other.isCached]).toEqual([false, true, false]);
    expect(second.train).toEqual(first.train);
    expect(tokenizer.decode(other.train[0]!.inputIds)).toContain('!!');
  });
});

describe('rows at fault', () => {
  test('a template that throws in a thread names dataset and row', async () => {
    const own = await Tokenizer.fromPretrained(await copySeed({}));
    own.chatTemplate = `{% if messages[0].content == 'q2500?' %}{{ raise_exception('not that one') }}{% endif %}${own.chatTemplate}`;
    const train = questions(many);
    const mixing = build({ datasetsConfig: { ideas: [{ name: 'mine', train }] }, cacheDir: null }, own);
    await expect(mixing).rejects.toThrow(
      expect.objectContaining({
        code: 'CHAT_TEMPLATE_FAILED',
        message: expect.stringMatching(/Dataset "mine" .*row 2500 of train: .*not that one/s),
        details: expect.objectContaining({ row: 2500 }),
      }),
    );
  });

  test('a column that is missing in row 70,000 is named with its line', async () => {
    const lines = Array.from({ length: 70_000 }, () => '{"question":"q","answer":"a"}');
    const file = join(
      await writeFiles({ 'rows.jsonl': [...lines, '{"question":"q","anwser":"a"}'].join('\n') }),
      'rows.jsonl',
    );
    const [plan] = planDatasets({ ideas: [file] }, {}, () => {});
    const { train } = await openDataset(plan!, () => {});
    const error: unknown = await collect(chatChunks(plan!, train(), new EventLoopPacer())).catch(
      (cause: unknown) => cause,
    );
    expect(AdaptiveTrainerError.isInstance(error, 'DATASET_INVALID')).toBe(true);
    expect((error as Error).message).toMatch(
      /row 70000 \(.*rows\.jsonl line 70001\) could not be read.*columns are: question, anwser/s,
    );
  });
});

test('a folded system prompt is said once, and again when the tokens come from the cache', async () => {
  const template =
    "{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}" +
    '{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}';
  const own = await Tokenizer.fromPretrained(await copySeed({ 'chat_template.jinja': template }));
  const cacheDir = join(await writeFiles({}), 'tokens');
  const train = questions(many).map(({ question, answer }) => ({
    messages: [system('Be brief.'), user(question), assistant(answer)],
  }));
  for (const isCached of [false, true]) {
    const built = await build({ datasetsConfig: { ideas: [{ name: 'mine', train }] }, cacheDir }, own);
    expect(built.isCached).toBe(isCached);
    expect(built.warnings).toEqual([expect.stringMatching(/refuses the system role/)]);
    expect(own.decode(built.train[0]!.inputIds)).toMatch(/^user\nBe brief\.\n\nq\d+\?/);
  }
});

test('where no thread can be started, all is done on this one, and said', async () => {
  const own = await Tokenizer.fromPretrained(await copySeed());
  await rm(join(own.dir, 'tokenizer.json')); // a thread opens the folder again
  const datasetsConfig = { ideas: [{ name: 'mine', train: questions(many), eval: [] }] };
  const built = await build({ datasetsConfig, cacheDir: null }, own);
  expect(built.warnings).toEqual([
    expect.stringMatching(/threads cannot be started .*tokenizer\.json.*one thread/s),
  ]);
  expect(built.train).toHaveLength(many);
});
