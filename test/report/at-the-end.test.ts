import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { TrainingEvent } from '../../src/events/training-event.js';
import type { ReportData } from '../../src/report/run-report.js';
import { trainAdaptively, type TrainAdaptivelyHooks } from '../../src/train-adaptively.js';
import { runCommand } from '../cli/run-command.js';
import { tempDir } from '../helpers/temp-dir.js';
import { seedDir } from '../tokenizer/open-tokenizer.js';
import { writeRun } from './write-run.js';

const rows = Array.from({ length: 24 }, (_, i) => ({ question: `${i} plus 1?`, answer: `${i + 1}.` }));

/** Trains the example model for a few steps. */
function train(outputDir: string, training: object = {}, hooks: TrainAdaptivelyHooks = {}): Promise<string> {
  return trainAdaptively(
    {
      modelName: seedDir,
      outputDir,
      datasetsConfig: { ideas: [{ name: 'sums', train: rows, eval: rows.slice(0, 4) }] },
      trainingConfig: {
        ...{ maxSteps: 4, batchSize: 2, gradientAccumulationSteps: 1, warmupSteps: 0, precision: 'fp32' },
        ...{ loggingSteps: 1, evalStrategy: 'steps', evalSteps: 2, saveStrategy: 'no', useWandb: false },
        evalForgetting: false,
        ...training,
      },
    },
    { progress: false, ...hooks },
  );
}

/** What the page in a folder holds. */
function pageIn(outputDir: string): ReportData {
  const html = readFileSync(join(outputDir, 'report.html'), 'utf8');
  return JSON.parse(
    /<script type="application\/json" id="data">(.*)<\/script>/.exec(html)![1]!,
  ) as ReportData;
}

describe('report.html at the end of a run', () => {
  let folder: string;
  beforeAll(() => void (folder = tempDir()));

  it('that completed', async () => {
    const outputDir = join(folder, 'completed');
    const notes: string[] = [];
    await train(outputDir, {}, { onNote: (text) => void notes.push(text) });
    const [run] = pageIn(outputDir).runs;
    expect(run).toMatchObject({ state: 'completed', label: 'my_adaptive_run', notes: [] });
    expect(run!.steps.step).toEqual([1, 2, 3, 4]);
    expect(run!.logs.every(({ memoryBytes }) => memoryBytes! > 10e6)).toBe(true);
    expect(notes).toContain(`report ${join(outputDir, 'report.html')}`);
  });

  it('that was stopped, and the whole run after it was resumed', async () => {
    const outputDir = join(folder, 'stopped');
    const stop = new AbortController();
    const onEvent = (event: TrainingEvent) =>
      void (event.type === 'step' && event.step === 2 && stop.abort());
    const settings = { saveStrategy: 'steps', saveSteps: 1 };
    await expect(train(outputDir, settings, { signal: stop.signal, onEvent })).rejects.toMatchObject({
      code: 'ABORTED',
    });
    expect(pageIn(outputDir).runs[0]!.state).toBe('aborted');
    await train(outputDir, { ...settings, resumeFromCheckpoint: true });
    const [run] = pageIn(outputDir).runs;
    expect(run!.state).toBe('completed');
    expect(run!.steps.step).toEqual([1, 2, 3, 4]);
    expect(run!.starts.map(({ step }) => step)).toEqual([0, 2]);
  });

  it('that failed', async () => {
    const outputDir = join(folder, 'failed');
    const diverging = { learningRate: 1e20, optimizer: 'sgd', maxGradNorm: 0 };
    await expect(train(outputDir, diverging)).rejects.toMatchObject({ code: 'LOSS_NOT_FINITE' });
    const [run] = pageIn(outputDir).runs;
    expect(run).toMatchObject({ state: 'failed', outcome: { type: 'error', code: 'LOSS_NOT_FINITE' } });
  });

  it('that cannot be written is a warning', async () => {
    const outputDir = join(folder, 'unwritable');
    mkdirSync(join(outputDir, 'report.html', 'in-the-way'), { recursive: true });
    const codes: string[] = [];
    const path = await train(
      outputDir,
      {},
      { onEvent: (event) => void (event.type === 'warning' && codes.push(event.code)) },
    );
    expect(path).toBe(join(outputDir, 'final_model'));
    expect(codes).toContain('REPORT_NOT_WRITTEN');
  });
});

describe('adaptive-trainer report', () => {
  const report = (...args: string[]) => runCommand('src/cli/main.ts', ['report', ...args]);

  it('writes into the folder of the run, also where it was killed', async () => {
    const dir = writeRun(tempDir(), { steps: 20, last: null });
    const file = join(dir, 'report.html');
    expect(await report(dir)).toEqual({ status: 0, stdout: `${file}\n`, stderr: '' });
    expect(pageIn(dir).runs[0]!.state).toBe('broken off');
  });

  it('puts several side by side, where --out says', async () => {
    const dirs = [writeRun(tempDir(), { steps: 20 }), writeRun(tempDir(), { steps: 20, runName: 'other' })];
    const folder = tempDir();
    const { status } = await report(...dirs, '--out', join(folder, 'report.html'));
    expect(status).toBe(0);
    expect(pageIn(folder).runs.map(({ label }) => label)).toEqual(['first try', 'other']);
    expect(existsSync(join(dirs[0]!, 'report.html'))).toBe(false);
  });

  it('says which file it misses', async () => {
    const dir = tempDir();
    const { status, stderr } = await report(dir);
    expect(status).toBe(1);
    expect(stderr).toContain(
      `Expected the metrics of a run at ${join(dir, 'metrics.jsonl')}, but there is none.`,
    );
  });
});
