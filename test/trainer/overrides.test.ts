import { beforeAll, describe, expect, it } from 'vitest';
import { AdaptiveTrainer } from '../../src/trainer/adaptive-trainer.js';
import type { TrainingRow } from '../../src/events/training-row.js';
import { CausalLM } from '../../src/model/causal-lm.js';
import type { TokenBatch, TokenStatisticsArrays } from '../../src/trainer/step/token-statistics.js';
import { relativeToLargest } from '../helpers/differences.js';
import { errorOf } from '../helpers/error-of.js';
import { tempDir } from '../helpers/temp-dir.js';
import { tinyConfig, writeTinyModel } from '../helpers/tiny-model.js';
import { gradNorms, losses, plainArgs, trainRun } from '../helpers/train-run.js';
import { trainingRows } from '../helpers/training-rows.js';

let dir: string;
beforeAll(() => {
  dir = writeTinyModel(tempDir());
});
const trainDataset = trainingRows(22, tinyConfig.vocab_size);

/** A trainer with tokenWeights as given. */
function weighing(
  weights: (statistics: TokenStatisticsArrays, batch: TokenBatch) => unknown,
): typeof AdaptiveTrainer {
  return class extends AdaptiveTrainer {
    protected override tokenWeights(statistics: TokenStatisticsArrays, batch: TokenBatch) {
      return weights(statistics, batch) as Float32Array | undefined;
    }
  };
}

const mean = weighing(({ nll }) => new Float32Array(nll.length).fill(1 / nll.length));

describe('tokenWeights', () => {
  it('of 1/N each is plain cross-entropy, to the last bit of the gradients', async () => {
    const args = { loss: 'ce', numEpochs: 2 } as const;
    const plain = await trainRun(dir, { trainDataset, args });
    const weighed = await trainRun(dir, { trainDataset, args: { numEpochs: 2 } }, mean);
    expect(gradNorms(weighed)).toEqual(gradNorms(plain));
    // 1/N is rounded to float32 here and not there.
    expect(relativeToLargest(losses(weighed), losses(plain))).toBeLessThan(1e-7);
  });

  it('of 1/N each is plain cross-entropy also where windows have several micro-batches', async () => {
    const args = { batchSize: 3, gradientAccumulationSteps: 3, numEpochs: 2 };
    const plain = await trainRun(dir, { trainDataset, args: { ...args, loss: 'ce' } });
    const weighed = await trainRun(dir, { trainDataset, args }, mean);
    expect(relativeToLargest(gradNorms(weighed), gradNorms(plain))).toBeLessThan(1e-6);
    expect(relativeToLargest(losses(weighed), losses(plain))).toBeLessThan(1e-6);
  });

  it.each(['adaptive', 'ce'] as const)('of undefined is the configured loss (%s)', async (loss) => {
    const args = { loss, batchSize: 3, gradientAccumulationSteps: 2 };
    const plain = await trainRun(dir, { trainDataset, args });
    const overridden = await trainRun(
      dir,
      { trainDataset, args },
      weighing(() => undefined),
    );
    expect(
      overridden.map(({ loss, gradNorm, alpha, beta, statistics }) => ({
        loss,
        gradNorm,
        alpha,
        beta,
        statistics,
      })),
    ).toEqual(
      plain.map(({ loss, gradNorm, alpha, beta, statistics }) => ({
        loss,
        gradNorm,
        alpha,
        beta,
        statistics,
      })),
    );
  });

  it('leaves α and β where they are', async () => {
    const steps = await trainRun(dir, { trainDataset }, mean);
    expect(steps.at(-1)).toMatchObject({ alpha: 1, beta: 1 });
    const adaptive = await trainRun(dir, { trainDataset });
    expect(adaptive.at(-1)!.alpha).not.toBe(1);
  });

  it('of zero trains nothing', async () => {
    const steps = await trainRun(
      dir,
      { trainDataset },
      weighing(({ nll }) => new Float32Array(nll.length)),
    );
    expect(losses(steps)).toEqual(steps.map(() => 0));
    expect(gradNorms(steps)).toEqual(steps.map(() => 0));
  });

  it('is told of every labelled token, in order', async () => {
    const seen: { statistics: TokenStatisticsArrays; batch: TokenBatch }[] = [];
    const watching = weighing((statistics, batch) => void seen.push({ statistics, batch }));
    const rows = trainDataset.slice(0, 4);
    await trainRun(dir, { trainDataset: rows }, watching);
    const { statistics, batch } = seen[0]!;
    const labels = rows.flatMap((row, r) =>
      [...row.labels]
        .slice(1)
        .flatMap((label) => (label === -100 ? [] : [{ label, r, style: row.learningStyle }])),
    );
    expect([...batch.labels]).toEqual(labels.map(({ label }) => label));
    expect([...batch.rows]).toEqual(labels.map(({ r }) => r));
    expect(batch.learningStyles).toEqual(labels.map(({ style }) => style));

    const model = await CausalLM.fromPretrained(dir);
    const { data, shape } = await model.logits(rows.map((row) => row.inputIds));
    let token = 0;
    let position = 0;
    for (const row of rows) {
      for (let t = 0; t < row.inputIds.length; t++, position++) {
        const label = row.labels[t + 1];
        if (label === undefined || label === -100) continue;
        const z = [...data.subarray(position * shape[1], (position + 1) * shape[1])];
        const top = Math.max(...z);
        const logSum = top + Math.log(z.reduce((sum, logit) => sum + Math.exp(logit - top), 0));
        const p = z.map((logit) => Math.exp(logit - logSum));
        expect(statistics.nll[token]).toBeCloseTo(logSum - z[label]!, 4);
        expect(statistics.topNll[token]).toBeCloseTo(logSum - top, 4);
        expect(statistics.confidence[token]).toBeCloseTo(p[label]!, 5);
        expect(statistics.entropy[token]).toBeCloseTo(-p.reduce((sum, q) => sum + q * Math.log(q), 0), 4);
        expect(statistics.predicted[token]).toBe(z.indexOf(top));
        expect(statistics.rank[token]).toBe(z.filter((logit) => logit > z[label]!).length);
        token++;
      }
    }
    expect(statistics.nll).toHaveLength(token);
    model.dispose();
  });

  it.each([
    ['too few', ({ nll }: TokenStatisticsArrays) => new Float32Array(nll.length - 1), 'values'],
    ['too many', ({ nll }: TokenStatisticsArrays) => new Float32Array(nll.length + 1), 'values'],
    ['an Array', ({ nll }: TokenStatisticsArrays) => Array.from(nll, () => 1), 'Array'],
    ['a Float64Array', ({ nll }: TokenStatisticsArrays) => Float64Array.from(nll), 'Float64Array'],
    ['NaN', ({ nll }: TokenStatisticsArrays) => nll.map((_, i) => (i === 2 ? NaN : 1)), 'not finite'],
    ['null', () => null, 'Null'],
  ])('refuses %s, and the model can be trained afterwards', async (_, weights, found) => {
    const model = await CausalLM.fromPretrained(dir);
    const Trainer = weighing(weights);
    const error = await errorOf(
      () => new Trainer({ model, trainDataset, args: plainArgs }).train(),
      'INVALID_INPUT',
    );
    expect(error.message).toContain('tokenWeights');
    expect(error.message).toContain(found);
    const steps: number[] = [];
    await new AdaptiveTrainer({
      model,
      trainDataset,
      args: plainArgs,
      callbacks: [{ onStepEnd: ({ loss }) => void steps.push(loss) }],
    }).train();
    expect(steps).toEqual(losses(await trainRun(dir, { trainDataset })));
    model.dispose();
  });

  it('what it throws ends the run', async () => {
    const failing = weighing(() => {
      throw new RangeError('mine');
    });
    await expect(trainRun(dir, { trainDataset }, failing)).rejects.toThrow(new RangeError('mine'));
  });
});

describe('learningRate', () => {
  it('may be overridden, and is asked for every step from 0', async () => {
    const asked: number[] = [];
    const steps = await trainRun(
      dir,
      { trainDataset },
      class extends AdaptiveTrainer {
        protected override learningRate(step: number): number {
          asked.push(step);
          return step === 1 ? 0 : 0.01;
        }
      },
    );
    expect(asked).toEqual([0, 1, 2, 3, 4, 5]);
    expect(steps.map((step) => step.learningRate)).toEqual([0.01, 0, 0.01, 0.01, 0.01, 0.01]);
    const all = await trainRun(dir, { trainDataset });
    expect(losses(steps).slice(0, 2)).toEqual(losses(all).slice(0, 2));
    expect(losses(steps)[2]).not.toBe(losses(all)[2]);
  });

  it('of 0 moves no weight', async () => {
    const model = await CausalLM.fromPretrained(dir);
    const before = await model.logits([[1, 2, 3]]);
    await new AdaptiveTrainer({ model, trainDataset, args: { ...plainArgs, learningRate: 0 } }).train();
    expect((await model.logits([[1, 2, 3]])).data).toEqual(before.data);
    model.dispose();
  });
});

describe('trainBatches', () => {
  it('may be overridden, with an array or an async iterable', async () => {
    const expected = await trainRun(dir, {
      trainDataset: [...trainDataset].reverse(),
      args: { numEpochs: 2 },
    });
    const epochs: number[] = [];
    const backwards = (async: boolean) =>
      class extends AdaptiveTrainer {
        protected override trainBatches(
          epoch: number,
        ): Iterable<TrainingRow[]> | AsyncIterable<TrainingRow[]> {
          epochs.push(epoch);
          const rows = [...trainDataset].reverse();
          const batches = Array.from({ length: 6 }, (_, i) => rows.slice(4 * i, 4 * i + 4));
          return async
            ? (async function* () {
                yield* batches;
              })()
            : batches;
        }
      };
    for (const async of [false, true]) {
      const steps = await trainRun(dir, { trainDataset, args: { numEpochs: 2 } }, backwards(async));
      expect(losses(steps)).toEqual(losses(expected));
    }
    expect(epochs).toEqual([0, 1, 0, 1]);
  });

  it('may return batches of different sizes', async () => {
    const steps = await trainRun(
      dir,
      { trainDataset, args: { maxSteps: 3 } },
      class extends AdaptiveTrainer {
        protected override trainBatches() {
          return [trainDataset.slice(0, 1), trainDataset.slice(1, 8), trainDataset.slice(8, 10)];
        }
      },
    );
    expect(steps.map((step) => step.tokens)).toEqual(
      [
        [0, 1],
        [1, 8],
        [8, 10],
      ].map(([from, to]) => trainDataset.slice(from, to).reduce((sum, row) => sum + row.inputIds.length, 0)),
    );
  });

  it.each<[string, TrainingRow[][]]>([
    ['nothing', []],
    ['a row without labels', [[{ inputIds: [1, 2], labels: [-100, -100], learningStyle: 'ideas' }]]],
    ['an id outside the vocabulary', [[{ inputIds: [1, 67], labels: [1, 2], learningStyle: 'ideas' }]]],
    ['a label outside the vocabulary', [[{ inputIds: [1, 6], labels: [1, 67], learningStyle: 'ideas' }]]],
    ['an empty row', [[{ inputIds: [], labels: [], learningStyle: 'ideas' }]]],
    ['labels of another length', [[{ inputIds: [1, 2], labels: [1, 2, 3], learningStyle: 'ideas' }]]],
    ['no rows', [[]]],
  ])('of %s is an error', async (_, batches) => {
    const Trainer = class extends AdaptiveTrainer {
      protected override trainBatches() {
        return batches;
      }
    };
    await errorOf(() => trainRun(dir, { trainDataset }, Trainer), 'DATASET_INVALID');
  });
});

describe('order of rows', () => {
  it('is shuffled anew in each epoch, the same from the same seed', async () => {
    const rows = trainDataset.map((row, i) => ({ ...row, source: String(i) }));
    const orders = async (seed: number) => {
      const seen: string[] = [];
      const Watching = class extends AdaptiveTrainer {
        protected override async *trainBatches(epoch: number): AsyncGenerator<TrainingRow[]> {
          for await (const batch of super.trainBatches(epoch)) {
            seen.push(...batch.map((row) => row.source!));
            yield batch;
          }
        }
      };
      await trainRun(dir, { trainDataset: rows, args: { shuffle: true, numEpochs: 2, seed } }, Watching);
      return [seen.slice(0, 22), seen.slice(22)];
    };
    const [first, second] = await orders(1);
    expect([...first!].sort()).toEqual(rows.map((row) => row.source).sort());
    expect([...second!].sort()).toEqual([...first!].sort());
    expect(second).not.toEqual(first);
    expect(first).not.toEqual(rows.map((row) => row.source));
    expect(await orders(1)).toEqual([first, second]);
    expect((await orders(2))[0]).not.toEqual(first);
  });
});
