import type { RunningTrainer } from '../../src/trainer/trainer-callback.js';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AdaptiveTrainer } from '../../src/trainer/adaptive-trainer.js';
import type { AdaptiveTrainerOptions } from '../../src/trainer/adaptive-trainer-options.js';
import type { TrainingRow } from '../../src/events/training-row.js';
import { CausalLM } from '../../src/model/causal-lm.js';
import type { TrainingEvent } from '../../src/events/training-event.js';
import type { TrainerCallback } from '../../src/trainer/trainer-callback.js';
import { errorOf } from '../helpers/error-of.js';
import { tempDir } from '../helpers/temp-dir.js';
import { tinyConfig, writeTinyModel } from '../helpers/tiny-model.js';
import { losses, plainArgs, trainRun, type RunOptions } from '../helpers/train-run.js';
import { trainingRows } from '../helpers/training-rows.js';

let dir: string;
let model: CausalLM;
beforeAll(async () => {
  dir = writeTinyModel(tempDir());
  model = await CausalLM.fromPretrained(dir);
});
afterAll(() => model.dispose());
const trainDataset = trainingRows(20, tinyConfig.vocab_size);
const evalDataset = trainingRows(5, tinyConfig.vocab_size, 9);

/** Every hook there is, each calling `see` with its event. */
function watching(see: (event: TrainingEvent) => void): TrainerCallback {
  return {
    onDatasets: see,
    onStart: see,
    onStepEnd: see,
    onLog: see,
    onAdaptive: see,
    onEvaluate: see,
    onSave: see,
    onWarning: see,
    onEnd: see,
    onAborted: see,
    onError: see,
  };
}

async function eventsOf(options: Omit<RunOptions, 'trainDataset'>): Promise<string[]> {
  const seen: string[] = [];
  const see = (event: TrainingEvent) =>
    void seen.push('step' in event ? `${event.type} ${event.step}` : event.type);
  await trainRun(dir, {
    trainDataset,
    ...options,
    callbacks: [{ ...watching(see), ...options.callbacks?.[0] }],
  });
  return seen;
}

async function* stream(rows: readonly TrainingRow[]): AsyncGenerator<TrainingRow> {
  yield* rows;
}

/** A dataset that can be gone through again and again. */
const streamed = (rows: readonly TrainingRow[]): AsyncIterable<TrainingRow> => ({
  [Symbol.asyncIterator]: () => stream(rows),
});

describe('events of a run', () => {
  it('come in order: start, steps with what is due after each, end', async () => {
    const args = {
      evalStrategy: 'steps',
      evalSteps: 2,
      evalOnStart: true,
      loggingSteps: 2,
      adaptiveLogSteps: 4,
    } as const;
    expect(await eventsOf({ evalDataset, args })).toEqual([
      'start',
      'evaluate 0',
      'step 1',
      'step 2',
      'log 2',
      'evaluate 2',
      'step 3',
      'step 4',
      'log 4',
      'adaptive 4',
      'evaluate 4',
      'step 5',
      'log 5',
      'end',
    ]);
  });

  it('evaluate and save after each epoch where told so', async () => {
    const outputDir = join(tempDir(), 'run');
    const args = {
      evalStrategy: 'epoch',
      saveStrategy: 'epoch',
      numEpochs: 2,
      batchSize: 10,
      loggingSteps: 100,
    } as const;
    expect(await eventsOf({ evalDataset, args, outputDir })).toEqual([
      'start',
      'step 1',
      'step 2',
      'evaluate 2',
      'save 2',
      'step 3',
      'step 4',
      'evaluate 4',
      'save 4',
      'log 4',
      'save 4',
      'end',
    ]);
  });

  it('reach the method of a subclass, then the callbacks, then the trackers, each awaited', async () => {
    const order: string[] = [];
    const later = async (what: string) => {
      await new Promise((resolve) => setTimeout(resolve, 3));
      order.push(what);
    };
    class Mine extends AdaptiveTrainer {
      protected override onStart() {
        return later('method');
      }
    }
    const trainer = new Mine({
      model,
      trainDataset,
      args: { ...plainArgs, maxSteps: 1 },
      callbacks: [{ onStart: () => later('first callback') }, { onStart: () => later('second callback') }],
      trackers: [
        {
          onEvent: (event) => (event.type === 'start' ? later('tracker') : undefined),
          close: () => later('close'),
        },
      ],
    });
    await trainer.train();
    expect(order).toEqual(['method', 'first callback', 'second callback', 'tracker', 'close']);
  });

  it('log means over the steps since the last log, sums where they are counts', async () => {
    const events: TrainingEvent[] = [];
    const steps = await trainRun(dir, {
      trainDataset,
      args: { loggingSteps: 2, adaptiveLogSteps: 3 },
      callbacks: [watching((event) => void events.push(event))],
    });
    const [first, second, third] = events.filter((event) => event.type === 'log');
    expect(first!.loss).toBeCloseTo((steps[0]!.loss + steps[1]!.loss) / 2, 10);
    expect(second!.gradNorm).toBeCloseTo((steps[2]!.gradNorm + steps[3]!.gradNorm) / 2, 10);
    expect(third).toMatchObject({ step: 5, steps: 1, loss: steps[4]!.loss });
    expect(first!.tokens).toBe(steps[0]!.tokens + steps[1]!.tokens);
    expect(first!.statistics.total_tokens).toBe(
      steps[0]!.statistics.total_tokens + steps[1]!.statistics.total_tokens,
    );
    const adaptive = events.find((event) => event.type === 'adaptive');
    expect(adaptive!.statistics.training_mask).toBe(
      steps.slice(0, 3).reduce((sum, step) => sum + step.statistics.training_mask, 0),
    );
    const end = events.at(-1);
    expect(end).toMatchObject({ type: 'end', steps: 5, epochs: 1, path: '' });
    if (end?.type !== 'end') throw new Error('no end');
    expect(end.loss).toBeCloseTo(losses(steps).reduce((sum, loss) => sum + loss, 0) / 5, 10);
    expect(end.tokens).toBe(trainDataset.reduce((sum, row) => sum + row.inputIds.length, 0));
  });

  it('tell the passes over the data as a fraction', async () => {
    const steps = await trainRun(dir, { trainDataset, args: { numEpochs: 1.4, batchSize: 4 } });
    expect(steps.map((step) => step.epoch)).toEqual([0.2, 0.4, 0.6, 0.8, 1, 1.2, 1.4]);
  });
});

describe('streamed rows', () => {
  it('train as the same rows in an array do, epoch after epoch', async () => {
    const args = { maxSteps: 8 };
    const [array, iterable] = [
      await trainRun(dir, { trainDataset, args }),
      await trainRun(dir, { trainDataset: streamed(trainDataset), args }),
    ];
    expect(losses(iterable)).toEqual(losses(array));
  });

  it('need maxSteps', async () => {
    const error = await errorOf(
      () => trainRun(dir, { trainDataset: streamed(trainDataset) }),
      'INVALID_INPUT',
    );
    expect(error.message).toContain('maxSteps');
  });

  it('that run dry are an error that names the epoch', async () => {
    const once = stream(trainDataset);
    const error = await errorOf(
      () => trainRun(dir, { trainDataset: once, args: { maxSteps: 8 } }),
      'DATASET_INVALID',
    );
    expect(error.message).toContain('epoch 1');
  });

  it('are checked as they come', async () => {
    const rows = [...trainDataset.slice(0, 4), { ...trainDataset[0]!, inputIds: [1, 99], labels: [1, 2] }];
    const error = await errorOf(
      () => trainRun(dir, { trainDataset: streamed(rows), args: { maxSteps: 2 } }),
      'DATASET_INVALID',
    );
    expect(error.message).toContain('99');
    expect(error.message).toContain('step 2');
  });

  it('serve for evaluation too', async () => {
    const options = { model, trainDataset, args: plainArgs };
    const [array, iterable] = [
      await new AdaptiveTrainer({ ...options, evalDataset }).evaluate(),
      await new AdaptiveTrainer({ ...options, evalDataset: streamed(evalDataset) }).evaluate(),
    ];
    expect({ ...iterable, seconds: 0 }).toEqual({ ...array, seconds: 0 });
  });

  it('what their source throws ends the run', async () => {
    const broken: AsyncIterable<TrainingRow> = {
      async *[Symbol.asyncIterator]() {
        yield* trainDataset.slice(0, 4);
        throw new Error('disk gone');
      },
    };
    await expect(trainRun(dir, { trainDataset: broken, args: { maxSteps: 5 } })).rejects.toThrow('disk gone');
  });
});

describe('ending a run early', () => {
  function stoppable(
    extra: Partial<AdaptiveTrainerOptions>,
    atStep: (step: number, trainer: RunningTrainer) => void,
  ) {
    const steps: number[] = [];
    const trainer = new AdaptiveTrainer({
      model,
      trainDataset,
      args: plainArgs,
      ...extra,
      callbacks: [
        {
          onStepEnd: ({ step }, trainer) => {
            steps.push(step);
            atStep(step, trainer);
          },
        },
      ],
    });
    return { trainer, steps };
  }

  it('abort rejects with ABORTED after the step it is in, with the reason as its cause', async () => {
    const controller = new AbortController();
    const reason = new Error('had enough');
    const { trainer, steps } = stoppable({ signal: controller.signal }, (step) => {
      if (step === 2) controller.abort(reason);
    });
    const error = await errorOf(() => trainer.train(), 'ABORTED');
    expect(steps).toEqual([1, 2]);
    expect(error.details['step']).toBe(2);
    expect(error.cause).toBe(reason);
  });

  it('abort in the middle of a step lets it finish', async () => {
    const controller = new AbortController();
    const steps: number[] = [];
    class Aborting extends AdaptiveTrainer {
      protected override trainMicroBatch(...args: Parameters<AdaptiveTrainer['trainMicroBatch']>) {
        const under = super.trainMicroBatch(...args);
        if (steps.length === 2) controller.abort();
        return under;
      }
    }
    const trainer = new Aborting({
      ...{ model, trainDataset, args: plainArgs, signal: controller.signal },
      callbacks: [{ onStepEnd: ({ step }) => void steps.push(step) }],
    });
    const error = await errorOf(() => trainer.train(), 'ABORTED');
    expect(steps).toEqual([1, 2, 3]);
    expect(error.details['step']).toBe(3);
  });

  it('abort before the first step does none', async () => {
    const { trainer, steps } = stoppable({ signal: AbortSignal.abort() }, () => {});
    const error = await errorOf(() => trainer.train(), 'ABORTED');
    expect(error.message).toContain('after step 0');
    expect(steps).toEqual([]);
  });

  it('abort in the last step still is one', async () => {
    const controller = new AbortController();
    const { trainer } = stoppable({ signal: controller.signal }, (step) => {
      if (step === 5) controller.abort();
    });
    await errorOf(() => trainer.train(), 'ABORTED');
  });

  it('an aborted model trains again as a fresh one would from the same weights', async () => {
    const rows = trainDataset.slice(0, 8);
    const own = await CausalLM.fromPretrained(dir);
    const controller = new AbortController();
    // Nothing is learned before the abort, so that what is left over would show.
    const first = new AdaptiveTrainer({
      model: own,
      trainDataset,
      args: { ...plainArgs, learningRate: 0 },
      signal: controller.signal,
      callbacks: [{ onStepEnd: () => controller.abort() }],
    });
    await errorOf(() => first.train(), 'ABORTED');
    const again: number[] = [];
    await new AdaptiveTrainer({
      model: own,
      trainDataset: rows,
      args: plainArgs,
      callbacks: [{ onStepEnd: ({ loss }) => void again.push(loss) }],
    }).train();
    expect(again).toEqual(losses(await trainRun(dir, { trainDataset: rows })));
    own.dispose();
  });

  it('stop() ends the run after the step, as if it had been the last', async () => {
    const outputDir = join(tempDir(), 'run');
    const { trainer, steps } = stoppable({ outputDir }, (step, self) => {
      if (step === 3) self.stop();
    });
    const end = await trainer.train();
    expect(steps).toEqual([1, 2, 3]);
    expect(end).toMatchObject({ type: 'end', steps: 3 });
    expect(existsSync(join(end.path, 'model.safetensors'))).toBe(true);
  });

  it('train() may be called again on the same trainer, and starts anew', async () => {
    const { trainer, steps } = stoppable({ args: { ...plainArgs, learningRate: 0 } }, () => {});
    await trainer.train();
    const { alpha } = trainer.adaptiveState;
    await trainer.train();
    expect(steps).toEqual([1, 2, 3, 4, 5, 1, 2, 3, 4, 5]);
    expect(trainer.adaptiveState.alpha).toBe(alpha);
  });
});

it('reportTo of a trainer without trackers is warned of, and of one with trackers is not', async () => {
  const codes = async (trackers: RunOptions['trackers']) => {
    const found: string[] = [];
    const callbacks = [{ onWarning: ({ code }: { code: string }) => void found.push(code) }];
    const args = { maxSteps: 1, reportTo: 'tensorboard' } as const;
    await trainRun(dir, { trainDataset, args, callbacks, ...(trackers ? { trackers } : {}) });
    return found;
  };
  expect(await codes(undefined)).toContain('REPORT_TO_UNUSED');
  expect(await codes([{ onEvent() {}, close() {} }])).not.toContain('REPORT_TO_UNUSED');
});
