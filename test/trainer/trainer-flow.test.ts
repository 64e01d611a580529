import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { camelCase } from '../../src/common/camel-case.js';
import { parseTrainerConfig } from '../../src/config/read/parse-trainer-config.js';
import { AdaptiveTrainer } from '../../src/trainer/adaptive-trainer.js';
import type { AdaptiveTrainerOptions } from '../../src/trainer/adaptive-trainer-options.js';
import type { TrainingRows } from '../../src/trainer/batches/training-rows.js';
import { CausalLM } from '../../src/model/causal-lm.js';
import { errorOf } from '../helpers/error-of.js';
import { tempDir } from '../helpers/temp-dir.js';
import { tinyConfig, writeTinyModel } from '../helpers/tiny-model.js';
import { plainArgs, trainRun } from '../helpers/train-run.js';
import { trainingRows } from '../helpers/training-rows.js';

type Args = NonNullable<AdaptiveTrainerOptions['args']>;

interface Case {
  steps: number;
  stepsPerEpoch?: number;
  /** What each step's evaluation finds. */
  values?: number[];
  args: Record<string, unknown>;
  expected: { rates: number[]; logged: number[]; evaluated: number[] };
}

// The Hugging Face Trainer's own runs (scripts/oracles/trainer_flow.py).
const file = new URL('../fixtures/extra/trainer-flow.json', import.meta.url);
const cases = JSON.parse(readFileSync(file, 'utf8')) as Case[];

let dir: string;
beforeAll(() => {
  dir = writeTinyModel(tempDir());
});
const evalDataset = trainingRows(2, tinyConfig.vocab_size, 9);

/** Trains with evaluations that find these values, by step. */
function foretelling(values: readonly number[] | undefined): typeof AdaptiveTrainer {
  if (values === undefined) return AdaptiveTrainer;
  return class extends AdaptiveTrainer {
    protected override async evaluateRows(rows: TrainingRows) {
      return { ...(await super.evaluateRows(rows)), loss: values[this.progress.step - 1] ?? 9 };
    }
  };
}

async function flow(args: Args, stepsPerEpoch = 100, outputDir?: string, values?: readonly number[]) {
  const [logged, evaluated]: number[][] = [[], []];
  const options = {
    ...{ trainDataset: trainingRows(stepsPerEpoch, tinyConfig.vocab_size, 3, 6), evalDataset },
    ...(outputDir === undefined ? {} : { outputDir }),
    args: { batchSize: 1, numEpochs: 100, learningRate: 0.5, ...args },
    callbacks: [
      {
        onLog: ({ step }: { step: number }) => void logged!.push(step),
        onEvaluate: ({ step }: { step: number }) => void evaluated!.push(step),
      },
    ],
  };
  const steps = await trainRun(dir, options, foretelling(values));
  return { rates: steps.map(({ learningRate }) => learningRate), logged: logged!, evaluated: evaluated! };
}

describe('logs, evaluations and learning rates come as in the Hugging Face Trainer', () => {
  it.each(cases.map((one) => [JSON.stringify(one.args), one] as const))('%s', async (_name, one) => {
    const camel = (object: object) =>
      Object.fromEntries(Object.entries(object).map(([key, value]) => [camelCase(key), value as unknown]));
    const kwargs = { lrSchedulerKwargs: camel(one.args['lr_scheduler_kwargs'] ?? {}) };
    const args = { ...camel(one.args), ...kwargs };
    const actual = await flow(
      { ...(args as Args), maxSteps: one.steps },
      one.stepsPerEpoch,
      undefined,
      one.values,
    );
    const { rates, logged, evaluated } = one.expected;
    for (const [step, rate] of rates.entries())
      expect(Math.abs(actual.rates[step]! - rate)).toBeLessThan(1e-12);
    // Here the steps since the last log are told at the end, and what an evaluation decides nothing of is not done there.
    expect(actual.logged.filter((step) => step < one.steps)).toEqual(
      logged.filter((step) => step < one.steps),
    );
    expect(actual.evaluated.filter((step) => step < one.steps)).toEqual(
      evaluated.filter((step) => step < one.steps),
    );
  });
});

describe('reduce_lr_on_plateau', () => {
  it('falls in most of the runs that it is compared with', () => {
    const falls = cases.map(
      ({ values, expected }) => values !== undefined && new Set(expected.rates).size > 1,
    );
    expect(falls.filter(Boolean).length).toBeGreaterThan(5);
  });

  const values = [3, 2, 2.5, 2.4, 2.3, 1, 2, 2, 2, 2];
  const args: Args = {
    ...{ lrSchedulerType: 'reduce_lr_on_plateau', lrSchedulerKwargs: { patience: 1, factor: 0.5 } },
    ...{ evalStrategy: 'steps', evalSteps: 1, saveStrategy: 'steps', saveSteps: 1, maxSteps: 10 },
    saveTotalLimit: null,
  };

  it('goes on where it was when a run is resumed', async () => {
    const whole = join(tempDir(), 'run');
    const expected = await flow(args, 100, whole, values);
    expect(new Set(expected.rates).size).toBe(3);
    const weights = (dir: string) => readFileSync(join(dir, 'final_model', 'model.safetensors'));
    for (const step of [1, 4, 5, 8]) {
      const outputDir = join(tempDir(), 'run');
      const resumeFromCheckpoint = join(whole, `checkpoint-${step}`);
      const resumed = await flow({ ...args, resumeFromCheckpoint }, 100, outputDir, values);
      expect(resumed.rates).toEqual(expected.rates.slice(step));
      expect(weights(outputDir).equals(weights(whole))).toBe(true);
    }
    const resumeFromCheckpoint = join(whole, 'checkpoint-5');
    const doubled = { ...args, learningRate: 1, resumeFromCheckpoint };
    const { rates } = await flow(doubled, 100, join(tempDir(), 'run'), values);
    expect(rates).toEqual(expected.rates.slice(5).map((rate) => 2 * rate));
  });

  it('needs evaluations', async () => {
    await errorOf(() => parseTrainerConfig({ args: { ...args, evalStrategy: 'no' } }, {}), 'CONFIG_INVALID');
  });
});

describe('warmupRatio', () => {
  const read = (args: object) => parseTrainerConfig({ args }, {}).args.warmupSteps;

  it('is a share of all steps, as warmupSteps below 1 is', () => {
    expect(read({ warmupRatio: 0.1 })).toBe(0.1);
    expect(read({ warmup_ratio: 0.1, warmup_steps: 0 })).toBe(0.1);
    expect(read({ warmupRatio: null, warmupSteps: 5 })).toBe(5);
    expect(read({})).toBe(10);
  });

  it.each([
    { warmupRatio: 0.1, warmupSteps: 5 },
    { warmupRatio: 1 },
    { warmupSteps: 1.5 },
    { warmupSteps: -1 },
  ])('%j is a fault', async (args) => {
    await errorOf(() => read(args), 'CONFIG_INVALID');
  });
});

describe('saveOnlyModel', () => {
  it('writes checkpoints that open as models, and that no run goes on from', async () => {
    const outputDir = join(tempDir(), 'run');
    const args = { saveStrategy: 'steps', saveSteps: 2, maxSteps: 4, saveOnlyModel: true } as const;
    await flow(args, 4, outputDir);
    const checkpoint = join(outputDir, 'checkpoint-2');
    expect(existsSync(join(checkpoint, 'trainer_state.json'))).toBe(true);
    for (const name of ['optimizer.safetensors', 'run_state.json'])
      expect(existsSync(join(checkpoint, name))).toBe(false);
    const model = await CausalLM.fromPretrained(checkpoint);
    model.dispose();
    for (const resumeFromCheckpoint of [true, join(outputDir, 'checkpoint-4')]) {
      const error = await errorOf(
        () => flow({ ...args, resumeFromCheckpoint }, 4, outputDir),
        'CHECKPOINT_INVALID',
      );
      expect(error.message).toMatch(/the model alone \(saveOnlyModel\)/);
    }
  });

  it('still finds the best model at the end', async () => {
    const outputDir = join(tempDir(), 'run');
    const args = {
      evalStrategy: 'steps',
      evalSteps: 1,
      maxSteps: 3,
      saveOnlyModel: true,
      saveTotalLimit: 1,
    } as const;
    const { saveStrategy: _none, ...plain } = plainArgs;
    const model = await CausalLM.fromPretrained(dir);
    const trainDataset = trainingRows(4, tinyConfig.vocab_size);
    const all = { ...plain, ...args, batchSize: 1, loadBestModelAtEnd: true };
    const end = await new AdaptiveTrainer({ model, trainDataset, evalDataset, outputDir, args: all }).train();
    const file = (folder: string) => readFileSync(join(outputDir, folder, 'model.safetensors'));
    expect(file('final_model').equals(file(`checkpoint-${end.best!.step}`))).toBe(true);
    model.dispose();
  });
});

describe('saveDtype auto', () => {
  it.each([
    [{ dtype: 'bfloat16' }, 'BF16'],
    [{ torch_dtype: 'float16' }, 'F16'],
    [{ dtype: 'float32' }, 'F32'],
    [{}, 'F32'],
  ])('stores the final model as its base %j', async (config, type) => {
    const base = writeTinyModel(tempDir(), config as object);
    const outputDir = join(tempDir(), 'run');
    const args = { maxSteps: 1, saveDtype: 'auto', learningRate: 1e-4 } as const;
    await trainRun(base, { trainDataset: evalDataset, outputDir, args });
    const header = readFileSync(join(outputDir, 'final_model', 'model.safetensors')).toString(
      'latin1',
      8,
      400,
    );
    expect(header).toContain(`"${type}"`);
  });
});
