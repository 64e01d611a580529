import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { EvaluateEvent, LogEvent, StepEvent } from '../../src/events/training-event.js';
import { readRun } from '../../src/report/read-run.js';
import { thinSteps } from '../../src/report/thin-steps.js';
import { errorOf } from '../helpers/error-of.js';
import { tempDir } from '../helpers/temp-dir.js';
import { writeRun } from './write-run.js';

const linesOf = (dir: string) =>
  readFileSync(join(dir, 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown> & { type: string; step: number });

describe('readRun', () => {
  it('has every number of metrics.jsonl, to the last digit', async () => {
    const dir = writeRun(tempDir(), { steps: 60, rows: 5 });
    const run = await readRun(dir);
    const of = <Event>(type: string) => linesOf(dir).filter((line) => line.type === type) as Event[];
    const steps = of<StepEvent>('step');
    expect(run.steps.step).toEqual(steps.map(({ step }) => step));
    for (const name of [
      'loss',
      'gradNorm',
      'learningRate',
      'tokensPerSecond',
      'alpha',
      'beta',
      'epoch',
    ] as const)
      expect(run.steps[name]).toEqual(steps.map((step) => step[name]));
    expect(run.steps.already_correct).toEqual(steps.map(({ statistics }) => statistics.already_correct));
    expect(run.logs).toEqual(of<LogEvent>('log'));
    expect(run.evaluations).toEqual(of<EvaluateEvent>('evaluate'));
    expect(run).toMatchObject({ state: 'completed', starts: [{ step: 0 }], notes: [] });
    expect(run.changed).toEqual([
      { group: 'trainingConfig', key: 'batchSize', value: 32, default: 4 },
      { group: 'trainingConfig', key: 'learningRate', value: 5e-4, default: 2e-5 },
      { group: 'trainingConfig', key: 'numEpochs', value: 2, default: 3 },
    ]);
    expect(run.inspection!.rows).toHaveLength(5);
  });

  it('of a run that was killed: it broke off, and half a line is passed over', async () => {
    const dir = writeRun(tempDir(), { steps: 30, last: null });
    appendFileSync(join(dir, 'metrics.jsonl'), '{"time":"2026-01-05T09');
    expect(await readRun(dir)).toMatchObject({ state: 'broken off', notes: [] });
  });

  it('of a run that goes on, by its lock', async () => {
    const dir = writeRun(tempDir(), { steps: 30, last: null });
    const { lockOutputDir } = await import('../../src/trainer/output-dir/lock-output-dir.js');
    const lock = await lockOutputDir(dir, 'first try');
    expect(await readRun(dir)).toMatchObject({ state: 'running' });
    await lock.release();
    expect(await readRun(dir)).toMatchObject({ state: 'broken off' });
  });

  it.each([
    ['aborted', { type: 'aborted', step: 30, epoch: 2, message: 'Stopped.' }],
    ['failed', { type: 'error', step: 30, epoch: 2, code: 'LOSS_NOT_FINITE', message: 'Not finite.' }],
  ])('of a run that is %s', async (state, last) => {
    const dir = writeRun(tempDir(), { steps: 30, last });
    expect(await readRun(dir)).toMatchObject({ state, outcome: last });
  });

  it('of a run that was resumed: what it did again is there once, and its first end is forgotten', async () => {
    const dir = writeRun(tempDir(), {
      steps: 30,
      last: { type: 'aborted', step: 30, epoch: 2, message: 'Stopped.' },
    });
    const lines = linesOf(dir);
    const start = lines.find(({ type }) => type === 'start')!;
    const again = [
      {
        ...start,
        time: '2026-01-06T00:00:00.000Z',
        resumedFrom: { path: 'checkpoint-15', step: 15, runId: start['runId'] },
      },
      ...lines.filter(({ type, step }) => ['step', 'log', 'evaluate'].includes(type) && step > 15),
    ];
    appendFileSync(join(dir, 'metrics.jsonl'), again.map((line) => `${JSON.stringify(line)}\n`).join(''));
    const run = await readRun(dir);
    expect(run.steps.step).toEqual(Array.from({ length: 30 }, (_, i) => i + 1));
    expect(run.steps.loss).toHaveLength(30);
    expect(run.logs.map(({ step }) => step)).toEqual([10, 20, 30]);
    expect(run.starts.map(({ step }) => step)).toEqual([0, 15]);
    expect(run.outcome).toBeUndefined();
  });

  it('of the last of several runs, with a word about an attempt that did not begin', async () => {
    const dir = writeRun(tempDir(), { steps: 10, runName: 'older one' });
    const older = readFileSync(join(dir, 'metrics.jsonl'), 'utf8');
    writeRun(dir, { steps: 20, runName: 'new' });
    const newer = readFileSync(join(dir, 'metrics.jsonl'), 'utf8');
    const attempt =
      '{"time":"2026-01-07T00:00:00.000Z","type":"error","step":0,"epoch":0,"message":"No memory."}\n';
    writeFileSync(join(dir, 'metrics.jsonl'), older + newer + attempt);
    const run = await readRun(dir);
    expect(run.start!.runName).toBe('new');
    expect(run.steps.step).toHaveLength(20);
    expect(run.notes).toEqual(['A later attempt in this folder ended before its first step: No memory.']);
  });

  it('throws where there is nothing to read, naming the file', async () => {
    const dir = tempDir();
    const error = await errorOf(() => readRun(dir));
    expect(error).toMatchObject({ code: 'IO_FAILED', details: { path: join(dir, 'metrics.jsonl') } });
    writeFileSync(join(dir, 'metrics.jsonl'), '\n');
    expect((await errorOf(() => readRun(dir))).message).toContain('it holds no event');
  });

  it('passes over files of the inspection that are broken, saying so', async () => {
    const dir = writeRun(tempDir(), { steps: 10, rows: 3 });
    writeFileSync(join(dir, 'inspection', 'comparison.json'), '{"topK":');
    appendFileSync(join(dir, 'inspection', 'after.jsonl'), '{"set":');
    const run = await readRun(dir);
    expect(run.inspection!.rows).toHaveLength(3);
    expect(run.comparison).toBeUndefined();
    expect(run.notes).toHaveLength(2);
  });
});

it('thinSteps keeps the ends and every peak', async () => {
  const run = await readRun(writeRun(tempDir(), { steps: 3000 }));
  const [greatest, least] = [
    Math.max(...(run.steps.gradNorm as number[])),
    Math.min(...(run.steps.loss as number[])),
  ];
  thinSteps(run, 400);
  expect(run.steps.step.length).toBeLessThanOrEqual(450);
  expect(run.steps.loss).toHaveLength(run.steps.step.length);
  expect(run.stepsInAll).toBe(3000);
  expect([run.steps.step[0], run.steps.step.at(-1)]).toEqual([1, 3000]);
  expect(Math.max(...(run.steps.gradNorm as number[]))).toBe(greatest);
  expect(Math.min(...(run.steps.loss as number[]))).toBe(least);
});
