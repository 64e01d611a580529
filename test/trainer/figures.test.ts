import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { EndEvent, LogEvent, StepEvent, TrainingEvent } from '../../src/events/training-event.js';
import { AdaptiveTrainer } from '../../src/trainer/adaptive-trainer.js';
import type { TrainingRows } from '../../src/trainer/batches/training-rows.js';
import { RunProgress } from '../../src/trainer/run-progress.js';
import { noPlan } from '../../src/trainer/step/run-plan.js';
import { StepLog } from '../../src/trainer/step/step-log.js';
import { tempDir } from '../helpers/temp-dir.js';
import { tinyConfig, writeTinyModel } from '../helpers/tiny-model.js';
import { trainRun, type RunOptions } from '../helpers/train-run.js';
import { trainingRows } from '../helpers/training-rows.js';

let dir: string;
beforeAll(() => {
  dir = writeTinyModel(tempDir());
});
const trainDataset = trainingRows(20, tinyConfig.vocab_size);
const evalDataset = trainingRows(5, tinyConfig.vocab_size, 9);

async function eventsOf(options: Partial<RunOptions>, Trainer = AdaptiveTrainer): Promise<TrainingEvent[]> {
  const events: TrainingEvent[] = [];
  const tracker = { onEvent: (event: TrainingEvent) => void events.push(event), close: () => {} };
  await trainRun(dir, { trainDataset, ...options, trackers: [tracker] }, Trainer);
  return events;
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

function trainerState(folder: string) {
  return JSON.parse(readFileSync(join(folder, 'trainer_state.json'), 'utf8')) as Record<string, unknown> & {
    log_history: Record<string, number>[];
  };
}

describe('the figures of a run', () => {
  it('are of time as it passed: tokens per second, seconds per step, the time that is left', async () => {
    const slow = 25;
    class Slow extends AdaptiveTrainer {
      protected override async trainStep(...args: Parameters<AdaptiveTrainer['trainStep']>) {
        await new Promise((resolve) => setTimeout(resolve, slow));
        return super.trainStep(...args);
      }
    }
    const started = performance.now();
    const events = await eventsOf({ args: { loggingSteps: 2, numEpochs: 2 } }, Slow);
    const wall = (performance.now() - started) / 1000;
    const steps = events.filter((event): event is StepEvent => event.type === 'step');
    expect(steps).toHaveLength(10);
    for (const [i, step] of steps.entries()) {
      const rows = trainDataset.slice((4 * i) % 20, ((4 * i) % 20) + 4);
      expect(step.tokens).toBe(sum(rows.map((row) => row.inputIds.length)));
      expect(step.secondsPerStep).toBeGreaterThanOrEqual(slow / 1000 - 0.002); // timers may be a little early
      expect(step.tokensPerSecond).toBeCloseTo(step.tokens / step.secondsPerStep, 8);
    }
    expect(sum(steps.map((step) => step.secondsPerStep))).toBeLessThan(wall);
    expect(steps.at(-1)!.etaSeconds).toBe(0);
    // The pace since the last log, of the steps that are left.
    expect(steps[0]!.etaSeconds).toBeCloseTo(9 * steps[0]!.secondsPerStep, 8);
    expect(steps[3]!.etaSeconds).toBeCloseTo(3 * (steps[2]!.secondsPerStep + steps[3]!.secondsPerStep), 8);

    const logs = events.filter((event): event is LogEvent => event.type === 'log');
    const seconds = steps[2]!.secondsPerStep + steps[3]!.secondsPerStep;
    expect(logs[1]!.tokensPerSecond).toBeCloseTo((steps[2]!.tokens + steps[3]!.tokens) / seconds, 8);
    expect(logs[1]!.secondsPerStep).toBeCloseTo(seconds / 2, 10);
    expect(logs[1]).toMatchObject({ step: 4, steps: 2, learningRate: steps[3]!.learningRate });
    expect(logs[1]!.labelledTokens).toBe(steps[2]!.labelledTokens + steps[3]!.labelledTokens);
    const counts = ['total_tokens', 'already_correct', 'in_top_k', 'outside_top_k', 'training_mask'] as const;
    for (const name of counts) {
      expect(logs[1]!.statistics[name], name).toBe(steps[2]!.statistics[name] + steps[3]!.statistics[name]);
    }
    for (const name of ['attention_bias_alpha', 'coherence_bias_beta'] as const) {
      expect(logs[1]!.statistics[name], name).toBe(steps[3]!.statistics[name]);
      expect(steps[3]!.statistics[name], name).not.toBe(steps[2]!.statistics[name]);
    }
    for (const name of ['loss', 'gradNorm', 'alpha', 'beta'] as const)
      expect(logs[1]![name], name).toBeCloseTo((steps[2]![name] + steps[3]![name]) / 2, 12);
    expect(sum(steps.map((step) => step.statistics.already_correct))).toBeGreaterThan(0);

    const end = events.at(-1) as EndEvent;
    const tokens = sum(steps.map((step) => step.tokens));
    expect(end.tokens).toBe(tokens);
    expect(end.labelledTokens).toBe(sum(steps.map((step) => step.labelledTokens)));
    expect(end.tokensPerSecond).toBeCloseTo(tokens / sum(steps.map((step) => step.secondsPerStep)), 6);
    expect(end.seconds).toBeGreaterThan(sum(steps.map((step) => step.secondsPerStep)));
    expect(end.seconds).toBeLessThan(wall);
    expect(end.peakMemoryBytes).toBeGreaterThan(50e6);
    expect(end.peakMemoryBytes).toBeLessThan(100e9);
    expect(end.epochs).toBe(2);
  });

  it('count what the adaptive loss did since the run began', async () => {
    const events = await eventsOf({ args: { adaptiveLogSteps: 2, maxSteps: 4 } });
    const steps = events.filter((event): event is StepEvent => event.type === 'step');
    const adaptive = events.filter((event) => event.type === 'adaptive');
    expect(adaptive.map(({ step, epoch }) => [step, epoch])).toEqual([
      [2, 0.4],
      [4, 0.8],
    ]);
    for (const [i, { statistics }] of adaptive.entries()) {
      const before = steps.slice(0, 2 * i + 2);
      expect(statistics.total_tokens).toBe(sum(before.map((step) => step.statistics.total_tokens)));
      expect(statistics.outside_top_k).toBe(sum(before.map((step) => step.statistics.outside_top_k)));
      expect(statistics.attention_bias_alpha).toBe(before.at(-1)!.alpha);
    }
  });

  it('start with the rows, tokens and parameters that there are', async () => {
    const [start] = await eventsOf({ evalDataset, args: { numEpochs: 2, maxSteps: 4 } });
    expect(start).toMatchObject({
      type: 'start',
      steps: 4,
      epochs: 0.8,
      trainRows: 20,
      evalRows: 5,
      device: 'cpu',
      dtype: 'float32',
      tokensPerEpoch: sum(trainDataset.map((row) => row.inputIds.length)),
      parameters: 6064,
    });
  });

  it('reach trainer_state.json under the names of the Hugging Face Trainer', async () => {
    const outputDir = join(tempDir(), 'run');
    const args = {
      ...({ saveStrategy: 'steps', saveSteps: 4, evalStrategy: 'steps', evalSteps: 2 } as const),
      loggingSteps: 3,
      numEpochs: 2,
      maxSteps: 8,
    };
    const events = await eventsOf({ evalDataset, outputDir, args });
    const steps = events.filter((event): event is StepEvent => event.type === 'step').slice(0, 4);
    const log = events.find((event): event is LogEvent => event.type === 'log')!;
    const evaluation = events.find((event) => event.type === 'evaluate')!;
    const state = trainerState(join(outputDir, 'checkpoint-4'));
    expect(state).toMatchObject({
      global_step: 4,
      max_steps: 8,
      num_train_epochs: 2,
      epoch: 0.8,
      train_batch_size: 4,
      eval_steps: 2,
      logging_steps: 3,
      save_steps: 4,
      num_input_tokens_seen: sum(steps.map((step) => step.tokens)),
    });
    const [first, second] = state.log_history;
    expect(first).toEqual({
      epoch: evaluation.epoch,
      step: 2,
      eval_loss: evaluation.loss,
      eval_runtime: evaluation.seconds,
    });
    expect(second).toEqual({
      epoch: log.epoch,
      step: 3,
      loss: log.loss,
      grad_norm: log.gradNorm,
      learning_rate: log.learningRate,
    });
  });
});

describe('the best checkpoint', () => {
  /** Trains with evaluations that find these losses, one after each step. */
  async function withLosses(losses: readonly number[], args: RunOptions['args'] = {}) {
    const left = [...losses];
    class Foretold extends AdaptiveTrainer {
      protected override async evaluateRows(rows: TrainingRows) {
        return { ...(await super.evaluateRows(rows)), loss: left.shift()! };
      }
    }
    const outputDir = join(tempDir(), 'run');
    const each = { evalStrategy: 'steps', evalSteps: 1, saveStrategy: 'steps', saveSteps: 1 } as const;
    const all = { ...each, maxSteps: losses.length, saveTotalLimit: null, ...args };
    await eventsOf({ evalDataset, outputDir, args: all }, Foretold);
    const folders = readdirSync(outputDir).filter((name) => name.startsWith('checkpoint-'));
    return { folders: folders.sort(), state: trainerState(join(outputDir, `checkpoint-${losses.length}`)) };
  }

  it.each([
    ['the lowest loss', [3, 1, 2, 4], 2, 1],
    ['the last where it is lowest', [4, 3, 2, 1], 4, 1],
    ['the first where it is lowest', [1, 2, 3, 4], 1, 1],
    ['the first of equals', [2, 1, 1, 3], 2, 1],
    ['no loss that is not finite', [NaN, 3, NaN, 5], 2, 3],
    ['a loss below zero too', [0, -1, 1, -0.5], 2, -1],
  ])('is that of %s', async (_, losses, step, loss) => {
    const { state } = await withLosses(losses);
    expect(state).toMatchObject({
      best_global_step: step,
      best_metric: loss,
      best_model_checkpoint: `checkpoint-${step}`,
    });
  });

  it('outlives saveTotalLimit, beside the newest', async () => {
    const { folders } = await withLosses([3, 1, 2, 4, 5], { saveTotalLimit: 2 });
    expect(folders).toEqual(['checkpoint-2', 'checkpoint-5']);
    expect((await withLosses([5, 4, 3, 2, 1], { saveTotalLimit: 2 })).folders).toEqual([
      'checkpoint-4',
      'checkpoint-5',
    ]);
    expect((await withLosses([5, 4, 3, 2, 1], { saveTotalLimit: 1 })).folders).toEqual(['checkpoint-5']);
  });
});

describe('progress', () => {
  it('counts steps, epochs and what is left', () => {
    const progress = new RunProgress({ ...noPlan, totalSteps: 7, stepsPerEpoch: 4 });
    expect([progress.step, progress.epoch, progress.plannedEpochs, progress.stepsLeft]).toEqual([
      0, 0, 1.75, 7,
    ]);
    for (let i = 0; i < 4; i++) progress.endStep();
    progress.endEpoch();
    progress.endStep();
    expect(progress.position).toMatchObject({ step: 5, epochIndex: 1, windowsDone: 1 });
    expect([progress.epoch, progress.stepsLeft, progress.isOver]).toEqual([1.25, 2, false]);
    progress.endStep();
    expect(progress.isOver).toBe(false);
    progress.endStep();
    expect([progress.isOver, progress.wasStopped]).toEqual([true, false]);
    const stopped = new RunProgress({ ...noPlan, totalSteps: 7, stepsPerEpoch: 4 });
    stopped.stop();
    expect([stopped.isOver, stopped.wasStopped]).toEqual([true, true]);
  });

  it('has the mean of one step, too', async () => {
    const events = await eventsOf({ args: { maxSteps: 1 } });
    const step = events.find((event): event is StepEvent => event.type === 'step')!;
    expect((events.at(-1) as EndEvent).loss).toBe(step.loss);
    expect(step.loss).toBeGreaterThan(1);
  });

  it('has means of nothing that are 0, not NaN', () => {
    const end = new StepLog().end({ path: '', steps: 0, epochs: 0, seconds: 1 });
    expect(end).toMatchObject({ loss: 0, tokens: 0, tokensPerSecond: 0 });
  });
});
