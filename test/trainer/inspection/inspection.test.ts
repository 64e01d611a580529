import { copyFileSync, existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import type {
  SampleAnswer,
  Comparison,
  InspectedRow,
  TokenJudgements,
} from '../../../src/events/token-record.js';
import type { EvaluateEvent, TrainingEvent } from '../../../src/events/training-event.js';
import { CausalLM } from '../../../src/model/causal-lm.js';
import { Tokenizer } from '../../../src/tokenizer/tokenizer.js';
import { trainAdaptively } from '../../../src/train-adaptively.js';
import { errorOf } from '../../helpers/error-of.js';
import { tempDir } from '../../helpers/temp-dir.js';
import { writeTinyModel } from '../../helpers/tiny-model.js';
import { seedDir } from '../../tokenizer/open-tokenizer.js';

let folder: string;
beforeEach(() => void (folder = tempDir()));

const sums = (from: number, count: number) =>
  Array.from({ length: count }, (_, i) => ({ question: `${from + i} plus 1?`, answer: `${from + i + 1}.` }));
const words = [
  'one',
  'two',
  'three',
  'four',
  'five',
  'six',
  'seven',
  'eight',
  'nine',
  'ten',
  'eleven',
  'twelve',
];

function model(): string {
  const dir = writeTinyModel(join(folder, 'model'), { vocab_size: 4096 });
  for (const name of ['tokenizer.json', 'tokenizer_config.json', 'chat_template.jinja'])
    copyFileSync(join(seedDir, name), join(dir, name));
  return dir;
}

async function run(
  training: object = {},
  {
    signal,
    outputDir = join(folder, 'out'),
    peft,
  }: { signal?: AbortSignal; outputDir?: string; peft?: object } = {},
): Promise<TrainingEvent[]> {
  const events: TrainingEvent[] = [];
  const evaluation = words.map((word) => ({ question: `What comes after ${word}?`, answer: `Not ${word}.` }));
  const options = {
    modelName: existsSync(join(folder, 'model')) ? join(folder, 'model') : model(),
    outputDir,
    datasetsConfig: {
      ideas: [{ name: 'sums', train: sums(0, 24), eval: sums(50, 9) }],
      attention: [{ name: 'words', train: evaluation, eval: evaluation.slice(0, 6) }],
    },
    trainingConfig: {
      ...{ maxSteps: 6, batchSize: 4, gradientAccumulationSteps: 1, learningRate: 3e-2, warmupSteps: 0 },
      ...{
        fp16: false,
        saveSteps: 3,
        evalStrategy: 'steps',
        evalSteps: 6,
        evalOnStart: true,
        evalForgetting: false,
      },
      ...training,
    },
    adaptiveLossConfig: { topK: 3 },
    ...(peft === undefined ? {} : { peftConfig: peft }),
  };
  await trainAdaptively(options as Parameters<typeof trainAdaptively>[0], {
    progress: false,
    onEvent: (event) => void events.push(event),
    signal,
  });
  return events;
}

const file = (name: string, out = 'out') => join(folder, out, 'inspection', name);
const jsonl = <T>(name: string, out?: string) =>
  readFileSync(file(name, out), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as T);
const json = <T>(name: string) => JSON.parse(readFileSync(file(name), 'utf8')) as T;

/** Mean nll and shares of judgements, as an evaluation counts them. */
function totals(found: readonly TokenJudgements[]) {
  const outcomes = found.flatMap(({ outcome }) => outcome);
  const share = (test: (outcome: number) => boolean) => outcomes.filter(test).length / outcomes.length;
  const nll = found.flatMap((row) => row.nll);
  return {
    loss: nll.reduce((sum, one) => sum + one, 0) / nll.length,
    tokenAccuracy: share((outcome) => outcome === 0),
    inTopKShare: share((outcome) => outcome < 2),
  };
}

function expectSame(found: readonly TokenJudgements[], evaluation: EvaluateEvent): void {
  const { loss, tokenAccuracy, inTopKShare } = totals(found.filter(({ set }) => set === 'eval'));
  expect(Math.abs(loss - evaluation.loss)).toBeLessThan(1e-3); // four digits of each
  expect(tokenAccuracy).toBeCloseTo(evaluation.tokenAccuracy, 12);
  expect(inTopKShare).toBeCloseTo(evaluation.inTopKShare, 12);
}

describe('a run', () => {
  it.each([
    ['all weights', undefined],
    ['an adapter', { r: 4, targetModules: 'all-linear' }],
  ])('of %s judges all held-out rows before and after it as its evaluations do', async (_, peft) => {
    const events = await run({}, peft === undefined ? {} : { peft });
    const evaluations = events.filter((event) => event.type === 'evaluate');
    const rows = jsonl<InspectedRow>('rows.jsonl');
    const [before, after] = [jsonl<TokenJudgements>('before.jsonl'), jsonl<TokenJudgements>('after.jsonl')];
    expect(evaluations.map(({ step }) => step)).toEqual([0, 6]);
    expectSame(before, evaluations[0]!);
    expectSame(after, evaluations[1]!);

    expect(rows.filter(({ set }) => set === 'eval').map(({ dataset, row }) => [dataset, row])).toEqual([
      ...Array.from({ length: 9 }, (_unused, row) => ['sums', row]),
      ...Array.from({ length: 6 }, (_unused, row) => ['words', 9 + row]),
    ]);
    expect(rows.filter(({ set }) => set === 'retention').map(({ dataset }) => dataset)).toContain(
      'general text',
    );
    for (const [at, row] of rows.entries()) {
      for (const judged of [before[at]!, after[at]!]) {
        expect([judged.set, judged.row]).toEqual([row.set, row.row]);
        for (const list of [judged.outcome, judged.probability, judged.rank, judged.nll, judged.choices])
          expect(list.length).toBe(row.trained.length);
      }
    }
    const text = rows[0]!.pieces.join('');
    expect(text).toContain('50 plus 1?');
    expect(rows[0]!.trained.map((piece) => rows[0]!.pieces[piece]).join('')).toContain('51.');
    expect(text).not.toBe(rows[1]!.pieces.join(''));
  });

  it('tells what was gained, by dataset, and writes answers of both', async () => {
    const events = await run({ maxSteps: 30 });
    const comparison = json<Comparison>('comparison.json');
    const event = events.find(({ type }) => type === 'comparison');
    expect(event).toEqual({ type: 'comparison', ...comparison });
    const types = events.map(({ type }) => type);
    expect(types.indexOf('inspect')).toBeLessThan(types.indexOf('start'));
    expect(types.lastIndexOf('comparison')).toBeLessThan(types.indexOf('end'));
    expect(comparison.topK).toBe(3);
    expect(comparison.groups.map(({ name, set, rows }) => [name, set, rows])).toEqual([
      ['sums', 'eval', 9],
      ['words', 'eval', 6],
      ['general text', 'retention', 16],
    ]);
    const [gained] = comparison.groups;
    expect(gained!.verdict).toBe('gained');
    expect(gained!.nllChange.value).toBeCloseTo(gained!.after.nll - gained!.before.nll, 10);
    expect(gained!.nllChange.high).toBeLessThan(0);

    const answers = json<SampleAnswer[]>('answers.json');
    expect(new Set(answers.map(({ dataset }) => dataset))).toEqual(new Set(['sums', 'words']));
    expect(answers.length).toBe(6);
    const trained = await CausalLM.fromPretrained(join(folder, 'out', 'final_model'));
    const tokenizer = await Tokenizer.fromPretrained(join(folder, 'out', 'final_model'));
    for (const { prompt, expected, before, after } of answers) {
      expect(expected).toMatch(/^(\d+\.|Not )/);
      expect(after).not.toBe(before);
      const ids = tokenizer.encode(prompt as string);
      const said = await trained.generate(ids, { maxNewTokens: 64 }).collect();
      expect(after).toBe(tokenizer.decode(said));
    }
    trained.dispose();
  });

  it('that is resumed keeps what was found before its first start', async () => {
    await run({ maxSteps: 6 });
    const before = readFileSync(file('before.jsonl'), 'utf8');
    const after = readFileSync(file('after.jsonl'), 'utf8');
    const answers = json<SampleAnswer[]>('answers.json').map((answer) => answer.before);
    const events = await run({ maxSteps: 9, resumeFromCheckpoint: true });
    expect(events.some((event) => event.type === 'inspect' && event.when === 'before')).toBe(false);
    expect(readFileSync(file('before.jsonl'), 'utf8')).toBe(before);
    expect(readFileSync(file('after.jsonl'), 'utf8')).not.toBe(after);
    expect(json<SampleAnswer[]>('answers.json').map((answer) => answer.before)).toEqual(answers);
    expect(json<Comparison>('comparison.json').groups[0]!.before.nll).toBeGreaterThan(0);
  });

  it('that is resumed without those judges the base, not the checkpoint', async () => {
    await run({ maxSteps: 6, inspectRows: 0 });
    expect(existsSync(join(folder, 'out', 'inspection'))).toBe(false);
    await run({ maxSteps: 9, resumeFromCheckpoint: true });
    const found = jsonl<TokenJudgements>('before.jsonl');
    await run({ maxSteps: 6 }, { outputDir: join(folder, 'other') });
    expect(jsonl<TokenJudgements>('before.jsonl', 'other')).toEqual(found);
  });

  it('that begins anew in the folder of another leaves nothing of that one', async () => {
    await run({ maxSteps: 6 });
    await run({ maxSteps: 6, overwriteOutputDir: true, inspectRows: 4, seed: 1 });
    expect(jsonl('rows.jsonl').length).toBe(jsonl('before.jsonl').length);
    expect(jsonl<InspectedRow>('rows.jsonl').filter(({ set }) => set === 'eval').length).toBe(4);
  });

  it('that was stopped leaves what was found before it, and is resumed to the end', async () => {
    const controller = new AbortController();
    const stopping = run({ loggingSteps: 1 }, { signal: controller.signal });
    controller.abort();
    await errorOf(() => stopping, 'ABORTED');
    const files = existsSync(join(folder, 'out')) ? readdirSync(join(folder, 'out')) : [];
    expect(files).not.toContain('final_model');
    await run();
    expect(readdirSync(join(folder, 'out', 'inspection')).sort()).toEqual([
      ...['after.jsonl', 'answers.json', 'before.jsonl', 'comparison.json', 'rows.jsonl'],
    ]);
  });
});
