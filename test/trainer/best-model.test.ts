import { cpSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { camelCase } from '../../src/common/camel-case.js';
import { AdaptiveTrainer } from '../../src/trainer/adaptive-trainer.js';
import type { AdaptiveTrainerOptions } from '../../src/trainer/adaptive-trainer-options.js';
import type { TrainingRows } from '../../src/trainer/batches/training-rows.js';
import type { EndEvent } from '../../src/events/training-event.js';
import { CausalLM } from '../../src/model/causal-lm.js';
import { errorOf } from '../helpers/error-of.js';
import { tempDir } from '../helpers/temp-dir.js';
import { tinyConfig, writeTinyModel } from '../helpers/tiny-model.js';
import { plainArgs } from '../helpers/train-run.js';
import { trainingRows } from '../helpers/training-rows.js';

interface Case {
  name: string;
  values: (number | null)[];
  args: Record<string, unknown>;
  patience?: number;
  threshold?: number;
  stepsPerEpoch?: number;
  expected: {
    steps: number;
    evaluated: number[];
    saved: number[];
    left: number[];
    finalModel: number;
    bestStep: number | null;
    bestMetric: number;
    bestCheckpoint: string | null;
    withoutImprovement: number | null;
  };
}

// The Hugging Face Trainer with evaluations that find these values (scripts/oracles/best_model.py).
const file = new URL('../fixtures/extra/best-model.json', import.meta.url);
const { cases } = JSON.parse(readFileSync(file, 'utf8')) as { cases: Case[] };

let dir: string;
beforeAll(() => {
  dir = writeTinyModel(tempDir());
});
const evalDataset = trainingRows(2, tinyConfig.vocab_size, 9);

type Args = NonNullable<AdaptiveTrainerOptions['args']>;

function settings({ values, args, patience, threshold, stepsPerEpoch = 100 }: Omit<Case, 'expected'>) {
  const metric = (args['metric_for_best_model'] ?? 'loss') as string;
  return {
    metric: camelCase(metric),
    rows: trainingRows(stepsPerEpoch, tinyConfig.vocab_size, 3, 6),
    args: {
      ...(Object.fromEntries(Object.entries(plainArgs).map(([key, value]) => [key, value])) as Args),
      ...{ saveStrategy: undefined, evalStrategy: undefined, batchSize: 1, maxSteps: values.length },
      ...{ numEpochs: 100, shuffle: true, saveTotalLimit: null },
      ...(Object.fromEntries(Object.entries(args).map(([key, value]) => [camelCase(key), value])) as Args),
      ...(patience === undefined ? {} : { earlyStoppingPatience: patience }),
      ...(threshold === undefined ? {} : { earlyStoppingThreshold: threshold }),
    },
  };
}

/** Trains with evaluations that find these values, by step. */
async function run(
  one: Omit<Case, 'expected'>,
  outputDir: string,
  { from, abortAfter, options = {} }: { from?: boolean | string; abortAfter?: number; options?: object } = {},
) {
  const { metric, rows, args } = settings(one);
  class Foretold extends AdaptiveTrainer {
    protected override async evaluateRows(on: TrainingRows) {
      const value = one.values[this.progress.step - 1] ?? NaN;
      return { ...(await super.evaluateRows(on)), [metric]: value };
    }
  }
  const model = await CausalLM.fromPretrained(dir, options);
  const seen = { evaluated: [] as number[], saved: [] as number[], warnings: [] as string[] };
  const controller = new AbortController();
  const weights = new Map<number, Buffer>();
  const weightsFile = model.adapter === undefined ? 'model.safetensors' : 'adapter_model.safetensors';
  const byStep = tempDir();
  const trainer: AdaptiveTrainer = new Foretold({
    ...{ model, trainDataset: rows, evalDataset, outputDir, args, signal: controller.signal },
    callbacks: [
      {
        onEvaluate: ({ step }) => void seen.evaluated.push(step),
        onSave: ({ step, path }) => void (path.endsWith('final_model') || seen.saved.push(step)),
        onWarning: ({ code }) => void seen.warnings.push(code),
        onStepEnd: async ({ step }) => {
          await trainer.saveModel(byStep);
          weights.set(step, readFileSync(join(byStep, weightsFile)));
          if (step === abortAfter) controller.abort();
        },
      },
    ],
  });
  let end: EndEvent | undefined;
  try {
    end = await trainer.train(from === undefined ? {} : { resumeFromCheckpoint: from });
  } catch (error) {
    if (abortAfter === undefined) throw error;
  } finally {
    model.dispose();
  }
  const checkpoints = readdirSync(outputDir).filter((name) => name.startsWith('checkpoint-'));
  return {
    ...{ ...seen, end, weights },
    left: checkpoints.map((name) => Number(name.split('-')[1])).sort((a, b) => a - b),
    final: end && readFileSync(join(outputDir, 'final_model', weightsFile)),
  };
}

function trainerState(outputDir: string, step: number): Record<string, unknown> {
  const path = join(outputDir, `checkpoint-${step}`, 'trainer_state.json');
  return JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
}

describe('the best model, and stopping early, are as in the Hugging Face Trainer', () => {
  it.each(cases)('$name', async ({ expected, ...one }) => {
    const outputDir = join(tempDir(), 'run');
    const { end, evaluated, saved, left, final, weights } = await run(one, outputDir);
    expect(end!.steps).toBe(expected.steps);
    expect({ evaluated, saved, left }).toEqual({
      evaluated: expected.evaluated,
      saved: expected.saved,
      left: expected.left,
    });
    expect(final!.equals(weights.get(expected.finalModel)!)).toBe(true);
    const loadsBest = one.args['load_best_model_at_end'] === true;
    expect(end!.best?.step).toBe(loadsBest ? expected.finalModel : undefined);
    if (loadsBest) expect(end!.best!.value).toBe(one.values[expected.finalModel - 1]);
    const isOver = one.patience !== undefined && expected.withoutImprovement! >= one.patience;
    expect(end!.stoppedEarly).toBe(isOver ? true : undefined);
    const last = expected.saved.at(-1)!;
    if (!left.includes(last) || last !== expected.steps) return;
    expect(trainerState(outputDir, last)).toMatchObject({
      best_global_step: expected.bestStep,
      best_metric: expected.bestMetric,
      best_model_checkpoint: expected.bestCheckpoint,
      ...(one.patience !== undefined && {
        stateful_callbacks: {
          EarlyStoppingCallback: {
            args: { early_stopping_patience: one.patience, early_stopping_threshold: one.threshold ?? 0 },
            attributes: { early_stopping_patience_counter: expected.withoutImprovement },
          },
        },
      }),
    });
  });
});

const named = (name: string) => cases.find((one) => one.name === name)!;

describe('a run that is resumed', () => {
  it.each(['patience 2', 'patience 3', 'by epoch', 'saved when better', 'patience between two saves'])(
    'goes on waiting, and ends with the same model: %s',
    async (name) => {
      const one = named(name);
      const whole = await run(one, join(tempDir(), 'run'));
      for (const step of [1, one.expected.finalModel, one.expected.steps - 1]) {
        const outputDir = join(tempDir(), 'run');
        await run(one, outputDir, { abortAfter: step });
        const resumed = await run(one, outputDir, { from: true });
        expect(resumed.end).toMatchObject({ steps: whole.end!.steps, best: whole.end!.best });
        expect(resumed.end!.stoppedEarly).toBe(whole.end!.stoppedEarly);
        expect(resumed.final!.equals(whole.final!), `resumed after step ${step}`).toBe(true);
      }
    },
  );

  it('in another folder finds its best model where it was, and again from there', async () => {
    const one = named('the best is in the middle');
    const [first, second] = [join(tempDir(), 'run'), join(tempDir(), 'run')];
    const whole = await run(one, first);
    await run(one, second, { from: join(first, 'checkpoint-5'), abortAfter: 6 });
    const resumed = await run(one, second, { from: true });
    expect(resumed.end!.best).toEqual({ step: 3, metric: 'loss', value: 3 });
    expect(resumed.final!.equals(whole.final!)).toBe(true);
    expect(resumed.left).toEqual([6, 7]);
    expect(trainerState(second, 7)).toMatchObject({ best_model_checkpoint: join(first, 'checkpoint-3') });
  });

  it('may have been moved as a whole', async () => {
    const one = named('the best is in the middle');
    const [first, moved] = [join(tempDir(), 'run'), join(tempDir(), 'moved')];
    const whole = await run(one, first, { abortAfter: 5 });
    expect(whole.end).toBeUndefined();
    cpSync(first, moved, { recursive: true });
    rmSync(first, { recursive: true });
    const resumed = await run(one, moved, { from: true });
    expect(resumed.end!.best!.step).toBe(3);
    expect(resumed.final!.equals(whole.weights.get(3)!)).toBe(true);
  });

  it('after it stopped early ends at once, with more patience it goes on', async () => {
    const outputDir = join(tempDir(), 'run');
    const one = named('patience 2');
    const first = await run(one, outputDir);
    const again = await run(one, outputDir, { from: true });
    expect(again.evaluated).toEqual([]);
    expect(again.end).toMatchObject({ steps: 5, stoppedEarly: true, best: { step: 3 } });
    expect(again.final!.equals(first.final!)).toBe(true);
    const longer = await run({ ...one, patience: 3 }, outputDir, { from: true });
    expect(longer.evaluated).toEqual([6]);
    expect(longer.end).toMatchObject({ steps: 6, stoppedEarly: true });
  });

  it('with another metric begins to look for the best anew', async () => {
    const outputDir = join(tempDir(), 'run');
    const one = named('the best is in the middle');
    await run(one, outputDir, { abortAfter: 4 });
    const args = { ...one.args, metric_for_best_model: 'token_accuracy' };
    const resumed = await run({ ...one, args }, outputDir, { from: true });
    // 3.2, 3.9 and 4.1 at steps 5, 6 and 7.
    expect(resumed.end!.best).toEqual({ step: 7, metric: 'tokenAccuracy', value: 4.1 });
  });
});

describe('the best model', () => {
  it('of an adapter is its best adapter', async () => {
    const one = named('limit 1');
    const options = { adapter: { r: 2 } };
    const { final, weights, end } = await run(one, join(tempDir(), 'run'), { options });
    expect(end!.best!.step).toBe(3);
    expect(final!.equals(weights.get(3)!)).toBe(true);
    expect(final!.equals(weights.get(7)!)).toBe(false);
  });

  it('that was deleted is warned of, and the last one stays', async () => {
    const one = named('the best is in the middle');
    const outputDir = join(tempDir(), 'run');
    await run(one, outputDir);
    rmSync(join(outputDir, 'checkpoint-3', 'model.safetensors'));
    const again = await run(one, outputDir, { from: true });
    expect(again.warnings).toContain('NO_BEST_MODEL');
    expect(again.end!.best).toBeUndefined();
  });

  it('where no evaluation was finite is the last, with a warning', async () => {
    const one = { ...named('the best is in the middle'), values: [null, null] };
    const { warnings, final, weights } = await run(one, join(tempDir(), 'run'));
    expect(warnings).toEqual(['NO_BEST_MODEL']);
    expect(final!.equals(weights.get(2)!)).toBe(true);
  });

  it.each([
    [{ loadBestModelAtEnd: true }, { evalDataset: undefined }, /evaluation rows, since loadBestModelAtEnd/],
    [{ loadBestModelAtEnd: true }, { outputDir: undefined }, /outputDir to keep the best checkpoint/],
    [{ earlyStoppingPatience: 2 }, { evalDataset: undefined }, /since earlyStoppingPatience/],
    [{ saveStrategy: 'best' }, { evalDataset: undefined }, /since saveStrategy is "best"/],
    [{ loadBestModelAtEnd: true, metricForBestModel: 'adaptiveLoss', loss: 'ce' }, {}, /The loss is ce/],
  ] as const)(
    'without what it needs is refused before anything is trained: %j',
    async (args, without, message) => {
      const model = await CausalLM.fromPretrained(dir);
      const { evalStrategy: _eval, saveStrategy: _save, ...plain } = plainArgs;
      const options = { model, trainDataset: evalDataset, evalDataset, outputDir: tempDir() };
      const given = { ...options, args: { ...plain, ...args }, ...without } as AdaptiveTrainerOptions;
      const error = await errorOf(() => new AdaptiveTrainer(given), 'INVALID_INPUT');
      expect(error.message).toMatch(message);
      model.dispose();
    },
  );
});
