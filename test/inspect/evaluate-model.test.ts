import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import type { EvalReport } from '../../src/events/eval-report.js';
import type { EvaluateEvent, EvaluationMetrics, TrainingEvent } from '../../src/events/training-event.js';
import { evaluateModel } from '../../src/inspect/evaluate-model.js';
import { trainAdaptively } from '../../src/train-adaptively.js';
import { errorOf } from '../helpers/error-of.js';
import { tempDir } from '../helpers/temp-dir.js';
import { sumsModel, sumsOptions } from './sums-run.js';

let folder: string;
beforeEach(() => void (folder = tempDir()));

const quiet = { progress: false } as const;

async function train(more: object = {}) {
  const evaluations: EvaluateEvent[] = [];
  const onEvent = (event: TrainingEvent) => void (event.type === 'evaluate' && evaluations.push(event));
  const path = await trainAdaptively(sumsOptions(folder, {}, more), { ...quiet, onEvent });
  return { path, before: evaluations[0]!, after: evaluations.at(-1)! };
}

function expectClose(found: EvaluationMetrics, expected: EvaluationMetrics): void {
  for (const key of [
    'rows',
    'labelledTokens',
    'loss',
    'perplexity',
    'tokenAccuracy',
    'inTopKShare',
    'outsideTopKShare',
  ] as const)
    expect(Math.abs(found[key] - expected[key]), key).toBeLessThanOrEqual(1e-6 * Math.max(1, expected[key]));
}

/** All of an evaluation, but the adaptive loss, whose α and β have moved by then. */
function expectEvaluation(report: EvalReport, event: EvaluateEvent): void {
  expectClose(report.metrics, event);
  for (const groups of ['bySource', 'byStyle'] as const) {
    expect(Object.keys(report[groups]).sort()).toEqual(Object.keys(event[groups]).sort());
    for (const [name, metrics] of Object.entries(event[groups]))
      expectClose((report[groups] as Record<string, EvaluationMetrics>)[name]!, metrics);
  }
}

describe('evaluateModel', () => {
  it.each([
    ['a model', {}],
    ['an adapter', { peftConfig: { r: 4, targetModules: 'all-linear' } }],
  ])('gives the numbers that the run of %s printed, before it and after it', async (_, more) => {
    const { path, before, after } = await train(more);
    const options = sumsOptions(folder);
    const trained = await evaluateModel(path, options, quiet);
    expectEvaluation(trained, after);
    expect(trained).toMatchObject({ kind: 'eval', model: path, topK: 3, rows: 15, rowsInAll: 15 });
    expect(trained.against).toBeUndefined();
    const base = await evaluateModel(sumsModel(folder), options, quiet);
    expectEvaluation(base, before);
    expect(base.metrics.adaptiveLoss).toBeCloseTo(before.adaptiveLoss!, 6);

    const both = await evaluateModel(path, options, { ...quiet, against: 'base' });
    expect(both.against!.model).toBe(sumsModel(folder));
    expectEvaluation(both, after);
    const [first] = both.against!.comparison.groups;
    expect(first).toMatchObject({ name: 'sums', set: 'eval', style: 'ideas', rows: 9, verdict: 'gained' });
    expect(first!.before.nll).toBeCloseTo(before.bySource['sums']!.loss, 6);
    expect(first!.after.nll).toBeCloseTo(after.bySource['sums']!.loss, 6);
    expect(first!.before.inTopK).toBeCloseTo(
      before.bySource['sums']!.inTopKShare - before.bySource['sums']!.tokenAccuracy,
      6,
    );
    expect(first!.nllChange.value).toBeCloseTo(first!.after.nll - first!.before.nll, 10);
    const elsewhere = both.against!.comparison.groups.filter(({ set }) => set === 'retention');
    expect(elsewhere.map(({ name, rows }) => [name, rows])).toEqual([['general text', 16]]);
  });

  it('gives an interval around each number', async () => {
    const { groups } = await evaluateModel(sumsModel(folder), sumsOptions(folder), quiet);
    expect(groups.map(({ name }) => name)).toEqual(['sums', 'words', 'general text']);
    for (const {
      nll,
      nllInterval: { value, low, high },
      correct,
      correctInterval,
    } of groups) {
      expect(value).toBeCloseTo(nll, 12);
      expect(low).toBeLessThan(value);
      expect(high).toBeGreaterThan(value);
      expect(correctInterval.value).toBeCloseTo(correct, 12);
    }
  });

  it('guards the texts that retention names, beside general text', async () => {
    const file = join(folder, 'texts.jsonl');
    const texts = Array.from({ length: 30 }, (_, i) =>
      JSON.stringify({ text: `Text ${i} that is to be kept as it is.` }),
    );
    writeFileSync(file, `${texts.join('\n')}\n`);
    const options = sumsOptions(folder, { retention: { source: ['self', file] } });
    const { groups } = await evaluateModel(sumsModel(folder), options, quiet);
    const kept = groups.filter(({ set }) => set === 'retention');
    expect(kept.map(({ name, rows, style }) => [name, rows, style])).toEqual([
      [file, 30, undefined],
      ['general text', 16, undefined],
    ]);
  });

  it('takes some of the rows where fewer are wanted, and says so', async () => {
    const report = await evaluateModel(sumsModel(folder), sumsOptions(folder), { ...quiet, rows: 6 });
    expect(report).toMatchObject({ rows: 6, rowsInAll: 15 });
    expect(report.metrics.rows).toBe(6);
    expect(Object.keys(report.bySource)).toEqual(['sums', 'words']);
    const told: number[] = [];
    await evaluateModel(sumsModel(folder), sumsOptions(folder), {
      ...quiet,
      onProgress: ({ done, total }) => void told.push(done / total),
    });
    expect(told.at(-1)).toBe(1);
  });

  it('sets a model against any other with the same tokens', async () => {
    const other = sumsModel(folder, 2);
    const report = await evaluateModel(sumsModel(folder), sumsOptions(folder), { ...quiet, against: other });
    expect(report.against!.model).toBe(other);
    const alone = await evaluateModel(other, sumsOptions(folder), quiet);
    expect(report.against!.comparison.groups[0]!.before.nll).toBeCloseTo(alone.groups[0]!.nll, 10);
  });

  it('says what cannot be evaluated', async () => {
    const model = sumsModel(folder);
    const same = await errorOf(
      () => evaluateModel(model, sumsOptions(folder), { ...quiet, against: 'base' }),
      'INVALID_INPUT',
    );
    expect(same.message).toContain('final_model');
    await errorOf(() => evaluateModel(model, sumsOptions(folder), { ...quiet, rows: 0 }), 'INVALID_INPUT');
    await errorOf(
      () => evaluateModel(join(folder, 'nothing'), sumsOptions(folder), quiet),
      'MODEL_NOT_FOUND',
    );
    const none = {
      ...sumsOptions(folder),
      datasetsConfig: { ideas: [{ name: 'one', train: [{ question: 'a', answer: 'b' }] }] },
    };
    await errorOf(() => evaluateModel(model, none, quiet), 'DATASET_INVALID');
    await errorOf(
      () => evaluateModel(model, sumsOptions(folder), { ...quiet, signal: AbortSignal.abort() }),
      'ABORTED',
    );
  });
});
