import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { TrainingEvent } from '../../src/events/training-event.js';
import { CausalLM } from '../../src/model/causal-lm.js';
import { AdaptiveTrainer } from '../../src/trainer/adaptive-trainer.js';
import type { AdaptiveTrainerOptions } from '../../src/trainer/adaptive-trainer-options.js';
import { errorOf } from '../helpers/error-of.js';
import { runChild } from '../helpers/run-child.js';
import { tempDir } from '../helpers/temp-dir.js';
import { tinyConfig, writeTinyModel } from '../helpers/tiny-model.js';
import { plainArgs } from '../helpers/train-run.js';
import { trainingRows } from '../helpers/training-rows.js';

let dir: string;
beforeAll(() => void (dir = writeTinyModel(tempDir())));
const trainDataset = trainingRows(24, tinyConfig.vocab_size);
const turn = () => new Promise((resolve) => setTimeout(resolve, 30));

/** A run of six steps; `at` is called with the trainer after a step. */
async function run(
  at: Record<number, (trainer: AdaptiveTrainer) => void>,
  options: Partial<AdaptiveTrainerOptions> = {},
) {
  const model = await CausalLM.fromPretrained(dir);
  const events: TrainingEvent[] = [];
  const onStepEnd = ({ step }: { step: number }, trainer: unknown) => at[step]?.(trainer as AdaptiveTrainer);
  const trackers = [{ onEvent: (event: TrainingEvent) => void events.push(event), close() {} }];
  const outputDir = tempDir();
  const trainer = new AdaptiveTrainer({
    model,
    trainDataset,
    outputDir,
    args: plainArgs,
    callbacks: [{ onStepEnd }],
    trackers,
    ...options,
  });
  const ended = trainer.train().finally(() => model.dispose());
  return { trainer, ended, events, outputDir };
}

const weightsOf = (outputDir: string) => readFileSync(join(outputDir, 'final_model', 'model.safetensors'));
const stepsOf = (events: readonly TrainingEvent[]) => events.filter(({ type }) => type === 'step').length;

describe('a run that is paused', () => {
  it('waits after the step it is in, does what is asked there, and ends with the same weights', async () => {
    const plain = await run({});
    await plain.ended;
    const paused = await run({ 2: ({ control }) => control.pause() });
    const { trainer, events, outputDir } = paused;
    while (stepsOf(events) < 2) await turn();
    await turn();
    expect(stepsOf(events)).toBe(2);
    expect(trainer.control.isPaused).toBe(true);
    const order: number[] = [];
    await Promise.all([1, 2].map((n) => trainer.control.betweenSteps(async () => void order.push(n))));
    expect(order).toEqual([1, 2]);
    expect(basename((await trainer.save())!)).toBe('checkpoint-2');
    expect(stepsOf(events)).toBe(2);
    trainer.control.resume();
    await paused.ended;
    expect(stepsOf(events)).toBe(6);
    expect(weightsOf(outputDir).equals(weightsOf(plain.outputDir))).toBe(true);
  });

  it('keeps the process', async () => {
    const { status, stdout } = await runChild(new URL('run-control.child.ts', import.meta.url), [dir]);
    expect([status, stdout.trim()]).toEqual([0, '6']);
  });

  it('ends by stop() as after its last step', async () => {
    const { trainer, ended, events } = await run({ 3: ({ control }) => control.pause() });
    while (stepsOf(events) < 3) await turn();
    trainer.stop();
    expect((await ended).steps).toBe(3);
  });

  it('ends by an abort, with a checkpoint', async () => {
    const controller = new AbortController();
    const { ended, events } = await run(
      { 3: ({ control }) => control.pause() },
      { signal: controller.signal },
    );
    while (stepsOf(events) < 3) await turn();
    await turn();
    controller.abort();
    const error = await errorOf(() => ended, 'ABORTED');
    expect(basename(String(error.details.checkpoint))).toBe('checkpoint-3');
  });
});

it('saves after the step it is in, and once where saveSteps does too', async () => {
  const asked: Promise<string | undefined>[] = [];
  const { ended, events } = await run(
    { 1: (trainer) => void asked.push(trainer.save()), 4: (trainer) => void asked.push(trainer.save()) },
    { args: { ...plainArgs, saveStrategy: 'steps', saveSteps: 4, saveTotalLimit: null } },
  );
  await ended;
  expect((await Promise.all(asked)).map((path) => basename(path!))).toEqual(['checkpoint-1', 'checkpoint-4']);
  const saved = events.flatMap((event) => (event.type === 'save' ? [basename(event.path)] : []));
  expect(saved).toEqual(['checkpoint-1', 'checkpoint-4', 'checkpoint-6', 'final_model']);
});

it('what is asked of a run that has not begun, or has ended, is refused', async () => {
  const { trainer, ended } = await run({});
  await errorOf(() => trainer.save(), 'INVALID_INPUT');
  await ended;
  await errorOf(() => trainer.control.betweenSteps(async () => {}), 'INVALID_INPUT');
});

it('what throws between two steps is told to who asked, and the run goes on', async () => {
  const asked: Promise<unknown>[] = [];
  const fail = async () => {
    throw new RangeError('mine');
  };
  const { ended } = await run({
    2: ({ control }) => void asked.push(control.betweenSteps(fail).catch((e) => e)),
  });
  expect((await ended).steps).toBe(6);
  expect(await asked[0]).toBeInstanceOf(RangeError);
});
