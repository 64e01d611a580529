import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Tracker } from '../../src/events/tracker.js';
import type { StartEvent, TrainingEvent } from '../../src/events/training-event.js';
import { CausalLM } from '../../src/model/causal-lm.js';
import { AdaptiveTrainer } from '../../src/trainer/adaptive-trainer.js';
import type { AdaptiveTrainerOptions } from '../../src/trainer/adaptive-trainer-options.js';
import { errorOf } from '../helpers/error-of.js';
import { tempDir } from '../helpers/temp-dir.js';
import { tinyConfig, writeTinyModel } from '../helpers/tiny-model.js';
import { plainArgs } from '../helpers/train-run.js';
import { trainingRows } from '../helpers/training-rows.js';

let model: CausalLM;
beforeAll(async () => {
  model = await CausalLM.fromPretrained(writeTinyModel(tempDir()));
});
afterAll(() => model.dispose());
const trainDataset = trainingRows(12, tinyConfig.vocab_size);

/** A tracker that keeps what it is told. */
class Recorder implements Tracker {
  readonly events: TrainingEvent[] = [];
  closed = 0;
  onEvent(event: TrainingEvent) {
    this.events.push(event);
  }
  close() {
    this.closed++;
  }
  get types() {
    return this.events.map(({ type }) => type);
  }
  get warnings() {
    return this.events.filter((event) => event.type === 'warning');
  }
}

const trainer = (options: Partial<AdaptiveTrainerOptions> = {}, Trainer = AdaptiveTrainer) =>
  new Trainer({ model, trainDataset, args: plainArgs, ...options });

const fail = (): never => {
  throw new RangeError('mine');
};

/** Everything that a listener may throw, sooner or later. */
const ways: [string, () => void | Promise<void>][] = [
  ['throws', fail],
  ['rejects', () => Promise.reject(new RangeError('mine'))],
  ['throws no error', () => Promise.reject('mine' as unknown as Error)],
];

describe('a tracker that fails', () => {
  it('to close is told of to those that are still open, not to those that are closed', async () => {
    class Broken extends Recorder {
      override close() {
        super.close();
        fail();
      }
    }
    const [first, second, third] = [new Recorder(), new Broken(), new Recorder()];
    await trainer({ trackers: [first, second, third] }).train();
    expect([first, second, third].map(({ closed }) => closed)).toEqual([1, 1, 1]);
    expect([first, second, third].map(({ warnings }) => warnings.length)).toEqual([0, 0, 1]);
    expect(third.warnings[0]!.message).toMatch(/Broken failed in close: mine/);
  });

  it.each(ways)(
    'and %s does not end the run; one warning names it, and all are closed',
    async (_, broken) => {
      class Broken extends Recorder {
        override onEvent(event: TrainingEvent) {
          super.onEvent(event);
          return broken() as void;
        }
      }
      const [first, second, third] = [new Recorder(), new Broken(), new Recorder()];
      const end = await trainer({ trackers: [first, second, third] }).train();
      expect(end.steps).toBe(3);
      const expected = ['start', 'warning', 'step', 'step', 'step', 'log', 'end'];
      for (const tracker of [first, second, third]) {
        expect(tracker.types).toEqual(expected);
        expect(tracker.closed).toBe(1);
      }
      const [warning] = third.warnings;
      expect(warning).toMatchObject({ code: 'TRACKER_FAILED' });
      expect(warning!.message).toMatch(/Broken failed in onEvent of start: mine/);
    },
  );

  it.each(ways)('in close and %s leaves the others to be closed, and is named', async (_, broken) => {
    const [before, after] = [new Recorder(), new Recorder()];
    const bad: Tracker = { name: 'the bad one', onEvent: () => {}, close: broken };
    await trainer({ trackers: [before, bad, after] }).train();
    expect([before.closed, after.closed]).toEqual([1, 1]);
    expect(after.types.slice(-2)).toEqual(['end', 'warning']);
    expect(after.warnings[0]!.message).toContain('the bad one failed in close: mine');
  });

  it('never masks the error of the run', async () => {
    const bad: Tracker = { onEvent: fail, close: fail };
    class Failing extends AdaptiveTrainer {
      protected override learningRate() {
        return NaN;
      }
      protected override onError() {
        throw new TypeError('another');
      }
      protected override trainStep(): never {
        throw new SyntaxError('that of the run');
      }
    }
    const seen = new Recorder();
    await expect(trainer({ trackers: [bad, seen] }, Failing).train()).rejects.toThrow(
      new SyntaxError('that of the run'),
    );
    expect(seen.events.at(-2)).toStrictEqual({
      type: 'error',
      step: 0,
      epoch: 0,
      message: 'that of the run',
    });
    expect(seen.closed).toBe(1);
  });

  it('is told of by the process where nothing else listens', async () => {
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    await trainer({ trackers: [{ onEvent: fail, close: fail }] }).train();
    expect(warned.mock.calls.map(([message]) => String(message))).toEqual([
      expect.stringContaining('Tracker 1 of 1 failed in onEvent of start: mine'),
      expect.stringContaining('Tracker 1 of 1 failed in close: mine'),
    ]);
    warned.mockRestore();
  });
});

describe('a callback that fails', () => {
  it.each(ways)('and %s does not end the run, and is named once', async (_, broken) => {
    const seen = new Recorder();
    let calls = 0;
    const onStepEnd = () => {
      calls++;
      return broken();
    };
    await trainer({ callbacks: [{}, { onStepEnd }], trackers: [seen] }).train();
    expect(calls).toBe(3);
    expect(seen.types).toEqual(['start', 'step', 'warning', 'step', 'step', 'log', 'end']);
    expect(seen.warnings[0]).toMatchObject({ code: 'CALLBACK_FAILED' });
    expect(seen.warnings[0]!.message).toMatch(/Callback 2 of 2 failed in onStepEnd: mine.*trainer\.stop\(\)/);
  });

  it('on a warning does not fail for ever', async () => {
    const seen = new Recorder();
    await trainer({
      callbacks: [{ onWarning: fail, onStart: fail }, { onWarning: fail }],
      trackers: [seen],
    }).train();
    expect(seen.warnings).toHaveLength(2);
    expect(seen.types.at(-1)).toBe('end');
  });

  it('may end the run with trainer.stop()', async () => {
    const end = await trainer({ callbacks: [{ onStepEnd: (_, running) => running.stop() }] }).train();
    expect(end.steps).toBe(1);
  });
});

describe('how a run ends', () => {
  it('is told once: an error with its code', async () => {
    const seen = new Recorder();
    const rows = [...trainDataset.slice(0, 4), { ...trainDataset[0]!, inputIds: [1, 99], labels: [1, 2] }];
    const stream = {
      [Symbol.asyncIterator]: async function* () {
        yield* rows;
      },
    };
    const run = trainer({ trainDataset: stream, trackers: [seen], args: { ...plainArgs, maxSteps: 2 } });
    const error = await errorOf(() => run.train(), 'DATASET_INVALID');
    expect(seen.types).toEqual(['start', 'step', 'error']);
    expect(seen.events.at(-1)).toMatchObject({ step: 1, code: 'DATASET_INVALID', message: error.message });
    expect(seen.closed).toBe(1);
  });

  it('is told also where it did not begin', async () => {
    const seen = new Recorder();
    const run = trainer({
      trackers: [seen],
      args: { ...plainArgs, resumeFromCheckpoint: join(tempDir(), 'none') },
    });
    await errorOf(() => run.train(), 'CHECKPOINT_INVALID');
    expect(seen.types).toEqual(['error']);
    expect(seen.closed).toBe(1);
  });

  it('is told as aborted, with the checkpoint to go on from', async () => {
    const seen = new Recorder();
    const controller = new AbortController();
    const outputDir = join(tempDir(), 'run');
    const callbacks = [{ onStepEnd: () => controller.abort() }];
    const run = trainer({ trackers: [seen], callbacks, outputDir, signal: controller.signal });
    await errorOf(() => run.train(), 'ABORTED');
    expect(seen.types).toEqual(['start', 'step', 'save', 'aborted']);
    expect(seen.events.at(-1)).toMatchObject({ step: 1, checkpoint: join(outputDir, 'checkpoint-1') });
  });

  it('reaches the methods of a subclass and the callbacks', async () => {
    const order: string[] = [];
    class Mine extends AdaptiveTrainer {
      protected override onAborted() {
        order.push('method');
      }
    }
    const callbacks = [{ onAborted: () => void order.push('callback') }];
    const seen = new Recorder();
    const signal = AbortSignal.abort();
    const aborted = trainer({ callbacks, trackers: [seen], signal }, Mine);
    const { message } = await errorOf(() => aborted.train(), 'ABORTED');
    expect(order).toEqual(['method', 'callback']);
    expect(message).toBe('The run was aborted after step 0 of 3.');
    expect(seen.events.at(-1)).toStrictEqual({ type: 'aborted', step: 0, epoch: 0, message });
  });
});

describe('the start of a run', () => {
  it('tells the whole configuration and the versions, in a form that survives JSON, without secrets', async () => {
    const seen = new Recorder();
    vi.stubEnv('HF_TOKEN', 'a-token-of-the-environment');
    const config = {
      huggingfaceRepo: 'me/a-token-of-the-environment',
      datasetsConfig: { ideas: [{ name: 'mine', train: [{}, {}] }], dataProcessingFunction: fail },
    };
    await trainer({
      trackers: [seen],
      config,
      args: { ...plainArgs, learningRate: 0.5, maxSteps: 1 },
    }).train();
    vi.unstubAllEnvs();
    const start = seen.events[0] as StartEvent;
    expect(JSON.parse(JSON.stringify(start))).toEqual(start);
    expect(start.config).toMatchObject({
      trainingConfig: { learningRate: 0.5, batchSize: 4, adamBeta2: 0.999 },
      adaptiveLossConfig: { loss: 'adaptive', topK: 8 },
      modelName: model.dir,
      peftConfig: null,
      huggingfaceRepo: 'me/[redacted]',
      datasetsConfig: {
        ideas: [{ name: 'mine', train: '[2 rows]' }],
        dataProcessingFunction: '[function fail]',
      },
    });
    expect(start.versions.node).toBe(process.versions.node);
    expect(start.versions.platform).toBe(`${process.platform}-${process.arch}`);
    expect(start.versions.adaptiveTrainer).toMatch(/^\d+\.\d+\.\d+/);
    expect(start.versions.libtorch).toMatch(/^\d+\.\d+/);
    expect(['DEFAULT', 'AVX2', 'AVX512']).toContain(start.versions.cpuCapability);
    expect(start.outputDir).toBe('');
  });
});
