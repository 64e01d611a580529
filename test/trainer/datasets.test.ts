import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DatasetMixer } from '../../src/data/dataset-mixer.js';
import { rowList } from '../../src/data/mix/row-list.js';
import type { EvaluateEvent, StepEvent } from '../../src/events/training-event.js';
import type { TrainingRow } from '../../src/events/training-row.js';
import { CausalLM } from '../../src/model/causal-lm.js';
import { Tokenizer } from '../../src/tokenizer/tokenizer.js';
import { AdaptiveTrainer } from '../../src/trainer/adaptive-trainer.js';
import type { AdaptiveTrainerOptions } from '../../src/trainer/adaptive-trainer-options.js';
import { checkRows } from '../../src/trainer/batches/check-dataset.js';
import { hashRows } from '../../src/trainer/checkpoint/hash-rows.js';
import { errorOf } from '../helpers/error-of.js';
import { tempDir } from '../helpers/temp-dir.js';
import { tinyConfig, writeTinyModel } from '../helpers/tiny-model.js';
import { plainArgs } from '../helpers/train-run.js';
import { trainingRows } from '../helpers/training-rows.js';
import { seedDir } from '../tokenizer/open-tokenizer.js';

let model: CausalLM;
beforeAll(async () => {
  model = await CausalLM.fromPretrained(writeTinyModel(tempDir()));
});
afterAll(() => model.dispose());
const rows = trainingRows(12, tinyConfig.vocab_size);

async function* generate(of: readonly TrainingRow[] = rows): AsyncGenerator<TrainingRow> {
  yield* of;
}
const stream = (of: readonly TrainingRow[] = rows) => ({ [Symbol.asyncIterator]: () => generate(of) });

async function train(options: Partial<AdaptiveTrainerOptions>, trained = model) {
  const steps: StepEvent[] = [];
  const evaluations: EvaluateEvent[] = [];
  const trainer = new AdaptiveTrainer({
    model: trained,
    trainDataset: rows,
    ...options,
    args: { ...plainArgs, learningRate: 0, ...options.args },
    callbacks: [
      { onStepEnd: (step) => void steps.push(step), onEvaluate: (event) => void evaluations.push(event) },
      ...(options.callbacks ?? []),
    ],
  });
  const end = await trainer.train();
  return { steps, evaluations, end };
}

describe('a dataset that can be read once', () => {
  it('trains while it lasts, and says at its second pass what to give instead', async () => {
    expect((await train({ trainDataset: generate(), args: { maxSteps: 3 } })).steps).toHaveLength(3);
    const error = await errorOf(
      () => train({ trainDataset: generate(), args: { maxSteps: 4 } }),
      'DATASET_INVALID',
    );
    expect(error.message).toContain('trainDataset once more');
    expect(error.message).toContain('[Symbol.asyncIterator] starts anew');
  });

  it('evaluates once; where more is planned it is refused before the first step', async () => {
    const args = { evalStrategy: 'steps', evalSteps: 3 } as const;
    expect((await train({ evalDataset: generate(), args })).evaluations).toHaveLength(1);
    let started = false;
    const error = await errorOf(
      () =>
        train({
          evalDataset: generate(),
          args: { ...args, evalSteps: 1 },
          callbacks: [{ onStart: () => void (started = true) }],
        }),
      'DATASET_INVALID',
    );
    expect(error.message).toMatch(/evalDataset that can be read 3 times, found a generator/);
    expect(started).toBe(false);
  });

  it('is no evaluation once it is used up, whatever kind of object it is', async () => {
    const used = generate();
    const once = { [Symbol.asyncIterator]: () => used };
    const trainer = new AdaptiveTrainer({ model, trainDataset: rows, evalDataset: once, args: plainArgs });
    expect((await trainer.evaluate()).rows).toBe(12);
    const error = await errorOf(() => trainer.evaluate(), 'DATASET_INVALID');
    expect(error.message).toContain('evalDataset once more');
  });

  it('that holds nothing is an error, and no best checkpoint', async () => {
    const args = { evalStrategy: 'steps', evalSteps: 1, saveStrategy: 'steps', saveSteps: 1 } as const;
    const error = await errorOf(() => train({ evalDataset: stream([]), args }), 'DATASET_INVALID');
    expect(error.message).toContain('rows in evalDataset, for an evaluation, found none');
  });
});

describe('the epoch of a stream', () => {
  it('counts passes; the first, of a length that is not known yet, by maxSteps', async () => {
    const { steps, end } = await train({ trainDataset: stream(), args: { maxSteps: 8 } });
    const [first, second] = [1 / 8, 1 / 3];
    expect(steps.map((step) => step.epoch)).toEqual(
      [first, 2 * first, 3 * first, 1 + second, 1 + 2 * second, 2, 2 + second, 2 + 2 * second].map(
        (epoch) => expect.closeTo(epoch, 12) as number,
      ),
    );
    expect(end.epochs).toBeCloseTo(2 + 2 * second, 12);
  });

  it('moves the confidence curriculum as an array would from its second pass on', async () => {
    const curriculum = { initialConfidence: 0.01, finalConfidence: 0.9, curriculumEpochs: 2 };
    const args = { maxSteps: 8, ...curriculum };
    const found = async (trainDataset: AdaptiveTrainerOptions['trainDataset']) =>
      (await train({ trainDataset, args })).steps.slice(3).map((step) => step.statistics.already_correct);
    expect(await found(stream())).toEqual(await found(rows));
    const still = { ...args, finalConfidence: 0.01 };
    const fixed = (await train({ args: still })).steps
      .slice(3)
      .map((step) => step.statistics.already_correct);
    expect(await found(rows)).not.toEqual(fixed);
  });

  it('goes on after a checkpoint as if nothing had been', async () => {
    const outputDir = join(tempDir(), 'run');
    const args = { maxSteps: 8, saveStrategy: 'steps', saveSteps: 5 } as const;
    const whole = await train({ trainDataset: stream(), outputDir, args });
    const resumeFromCheckpoint = join(outputDir, 'checkpoint-5');
    const rest = await train({ trainDataset: stream(), args: { ...args, resumeFromCheckpoint } });
    expect(rest.steps.map((step) => step.epoch)).toEqual(whole.steps.slice(5).map((step) => step.epoch));
  });
});

describe('a row that cannot be trained on', () => {
  const bad = { ...rows[0]!, inputIds: [1, 99], labels: [1, 2] };

  it('of a stream is named by its place in the stream and the step', async () => {
    const broken = stream([...rows.slice(0, 9), bad]);
    const error = await errorOf(
      () => train({ trainDataset: broken, args: { maxSteps: 5 } }),
      'DATASET_INVALID',
    );
    expect(error.message).toContain('row 9 of trainDataset, in step 3, (from first), found 99 at position 1');
    expect(error.message).toContain('tokenizer');
    expect(error.details).toMatchObject({ dataset: 'trainDataset', row: 9, source: 'first' });
  });

  it('of an array is named before the first step, wherever it stands', async () => {
    for (const dataset of ['trainDataset', 'evalDataset']) {
      const error = await errorOf(() => train({ [dataset]: [...rows, bad] }), 'DATASET_INVALID');
      expect(error.message).toContain(`row 12 of ${dataset}`);
    }
  });

  it('that a trainer made itself is named so', async () => {
    class Own extends AdaptiveTrainer {
      protected override trainBatches() {
        return [[rows[0]!, { ...bad }]];
      }
    }
    const trainer = new Own({ model, trainDataset: rows, args: plainArgs });
    const error = await errorOf(() => trainer.train(), 'DATASET_INVALID');
    expect(error.message).toContain('row 1 of step 1, which trainBatches() made');
  });

  it.each([
    ['longer than the positions of the model', (at: TrainingRow[]) => at],
    ['the same of a stream', stream],
  ])('%s', async (_, form) => {
    const short = await CausalLM.fromPretrained(
      new URL('../fixtures/models/gpt2', import.meta.url).pathname,
      { ignoreDropout: true },
    );
    const { maxPositions, vocabSize } = short.decoder;
    const inputIds = Array.from({ length: maxPositions + 1 }, (_, i) => i % vocabSize);
    const long = { inputIds, labels: inputIds, learningStyle: 'misc' } as const;
    const trainDataset = form([...trainingRows(4, vocabSize, 1, 10), long]);
    const error = await errorOf(
      () => train({ trainDataset, args: { maxSteps: 3 } }, short),
      'DATASET_INVALID',
    );
    expect(error.message).toMatch(/at most \d+ tokens.*row 4 of trainDataset.*maxLengthToken: \d+/);
    short.dispose();
  });
});

describe('an array of very many rows', () => {
  it('is read no further than its first row by the constructor, and in slices by train()', async () => {
    const read: number[] = [];
    const slow = rowList(
      12,
      (index) => {
        read.push(index);
        const until = performance.now() + 10;
        while (performance.now() < until);
        return rows[index]!;
      },
      (index) => rows[index]!.inputIds.length,
    );
    const options = { model, trainDataset: slow, args: plainArgs };
    let [ticks, ticksAtStart] = [0, 0];
    const trainer = new AdaptiveTrainer({
      ...options,
      callbacks: [{ onStart: () => void (ticksAtStart = ticks) }],
    });
    expect(read).toEqual([0]);
    const timer = setInterval(() => ticks++, 1);
    await trainer.train();
    clearInterval(timer);
    // 120 ms of reading, in slices of about 20.
    expect(ticksAtStart).toBeGreaterThanOrEqual(3);
  });

  it('that is known to be good is not read to be checked or hashed, unless its ids may not fit', async () => {
    const unread = rowList(
      ...([1000, () => expect.fail('read'), () => 5, { vocabSize: 50, digest: () => 'known' }] as const),
    );
    const checked = (vocabSize: number, maxPositions: number) =>
      checkRows(unread, 'trainDataset', { vocabSize, decoder: { maxPositions } });
    await checked(50, 0);
    await checked(50, 5);
    await expect(checked(49, 0)).rejects.toThrow('read');
    await expect(checked(50, 4)).rejects.toThrow('read');
    expect(await hashRows(unread)).toBe('known');
  });

  it('of a DatasetMixer is known to be so, by its tokenizer and its order', async () => {
    const tokenizer = await Tokenizer.fromPretrained(seedDir);
    const file = join(tempDir(), 'rows.jsonl');
    const samples = Array.from({ length: 30 }, (_, i) => ({
      question: `What is ${i}?`,
      answer: `A number, ${i}.`,
    }));
    writeFileSync(file, samples.map((sample) => JSON.stringify(sample)).join('\n'));
    const build = async (seed: number) =>
      (await new DatasetMixer({ tokenizer, datasetsConfig: { ideas: [file] }, seed }).build()).train;
    const mixed = await build(1);
    const hash = await hashRows(mixed);
    expect(await hashRows(await build(1))).toBe(hash);
    expect(await hashRows(await build(2))).not.toBe(hash);

    const error = await errorOf(() => train({ trainDataset: mixed }), 'DATASET_INVALID');
    expect(error.message).toContain(`token ids from 0 to ${tinyConfig.vocab_size - 1}`);
  });
});
