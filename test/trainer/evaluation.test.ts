import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AdaptiveTrainer } from '../../src/trainer/adaptive-trainer.js';
import type { TrainingRow } from '../../src/events/training-row.js';
import { CausalLM } from '../../src/model/causal-lm.js';
import { errorOf } from '../helpers/error-of.js';
import { tempDir } from '../helpers/temp-dir.js';
import { tinyConfig, writeTinyModel } from '../helpers/tiny-model.js';
import { gradNorms, losses, plainArgs, trainRun } from '../helpers/train-run.js';
import { trainingRows } from '../helpers/training-rows.js';

const topK = 5;
let dir: string;
let model: CausalLM;
beforeAll(async () => {
  dir = writeTinyModel(tempDir());
  model = await CausalLM.fromPretrained(dir);
});
afterAll(() => model.dispose());

/** Rows of which some labels are what the model would say, so that every share is more than nothing. */
async function evalRows(): Promise<TrainingRow[]> {
  const rows = trainingRows(23, tinyConfig.vocab_size, 5);
  const { data } = await model.logits(rows.map((row) => row.inputIds));
  let position = 0;
  return rows.map((row) => {
    const labels = [...row.labels];
    for (let t = 0; t < row.inputIds.length; t++, position++) {
      const z = [...data.subarray(position * model.vocabSize, (position + 1) * model.vocabSize)];
      const order = z.map((_, id) => id).sort((a, b) => z[b]! - z[a]!);
      if (t + 1 < labels.length && labels[t + 1] !== -100 && position % 2)
        labels[t + 1] = order[position % 8]!;
    }
    return { ...row, labels };
  });
}

interface Metrics {
  rows: number;
  labelledTokens: number;
  loss: number;
  tokenAccuracy: number;
  inTopKShare: number;
}

/** The metrics of some rows from their logits alone. */
async function bruteForce(rows: readonly TrainingRow[]): Promise<Metrics> {
  let [tokens, nll, correct, inTopK] = [0, 0, 0, 0];
  for (const row of rows) {
    const { data } = await model.logits([row.inputIds]);
    for (let t = 0; t + 1 < row.labels.length; t++) {
      const label = row.labels[t + 1]!;
      if (label === -100) continue;
      const z = [...data.subarray(t * model.vocabSize, (t + 1) * model.vocabSize)];
      const top = Math.max(...z);
      tokens++;
      nll += top + Math.log(z.reduce((sum, logit) => sum + Math.exp(logit - top), 0)) - z[label]!;
      correct += Number(z.indexOf(top) === label);
      inTopK += Number(z.filter((logit) => logit > z[label]!).length < topK);
    }
  }
  return {
    rows: rows.length,
    labelledTokens: tokens,
    loss: nll / tokens,
    tokenAccuracy: correct / tokens,
    inTopKShare: inTopK / tokens,
  };
}

function expectMetrics(
  actual: Metrics & { perplexity: number; outsideTopKShare: number },
  expected: Metrics,
) {
  expect(actual.rows).toBe(expected.rows);
  expect(actual.labelledTokens).toBe(expected.labelledTokens);
  expect(Math.abs(actual.loss / expected.loss - 1)).toBeLessThan(1e-6);
  expect(Math.abs(actual.perplexity / Math.exp(expected.loss) - 1)).toBeLessThan(1e-5);
  expect(actual.tokenAccuracy).toBeCloseTo(expected.tokenAccuracy, 12);
  expect(actual.inTopKShare).toBeCloseTo(expected.inTopKShare, 12);
  expect(actual.outsideTopKShare).toBeCloseTo(1 - expected.inTopKShare, 12);
}

describe('evaluate', () => {
  it.each([1, 4, 100])('gives what the logits say, in batches of %i', async (evalBatchSize) => {
    const rows = await evalRows();
    const trainer = new AdaptiveTrainer({
      model,
      trainDataset: rows,
      evalDataset: rows,
      args: { ...plainArgs, evalBatchSize, topK },
    });
    const actual = await trainer.evaluate();
    const expected = await bruteForce(rows);
    expectMetrics(actual, expected);
    expect(expected.tokenAccuracy).toBeGreaterThan(0.01);
    expect(expected.inTopKShare).toBeGreaterThan(expected.tokenAccuracy);
    expect(expected.inTopKShare).toBeLessThan(0.9);
    for (const source of ['first', 'second']) {
      expectMetrics(actual.bySource[source]!, await bruteForce(rows.filter((row) => row.source === source)));
    }
    for (const style of ['misc', 'ideas', 'attention', 'both'] as const) {
      expectMetrics(
        actual.byStyle[style]!,
        await bruteForce(rows.filter((row) => row.learningStyle === style)),
      );
    }
  });

  it('reports the adaptive loss beside the cross-entropy, unless another is trained', async () => {
    const rows = await evalRows();
    const options = { model, trainDataset: rows, evalDataset: rows };
    const args = { ...plainArgs, evalBatchSize: 100, topK };
    const adaptive = await new AdaptiveTrainer({ ...options, args }).evaluate();
    const plain = await new AdaptiveTrainer({ ...options, args: { ...args, loss: 'ce' } }).evaluate();
    expect(adaptive.adaptiveLoss).toBeGreaterThan(adaptive.loss);
    expect(plain).not.toHaveProperty('adaptiveLoss');
    expect(plain.loss).toBe(adaptive.loss);
  });

  it('moves neither weights nor α and β, before and during training', async () => {
    const trainDataset = trainingRows(24, tinyConfig.vocab_size);
    const evalDataset = trainingRows(7, tinyConfig.vocab_size, 8);
    const alone = await trainRun(dir, { trainDataset, args: { gradientAccumulationSteps: 2, batchSize: 2 } });
    const watched = await trainRun(dir, {
      trainDataset,
      evalDataset,
      args: {
        gradientAccumulationSteps: 2,
        batchSize: 2,
        evalOnStart: true,
        evalStrategy: 'steps',
        evalSteps: 1,
        evalBatchSize: 3,
      },
    });
    expect(losses(watched)).toEqual(losses(alone));
    expect(gradNorms(watched)).toEqual(gradNorms(alone));
    expect(watched.map(({ alpha, beta }) => [alpha, beta])).toEqual(
      alone.map(({ alpha, beta }) => [alpha, beta]),
    );
  });

  it('sees the weights as they stand', async () => {
    const trainDataset = trainingRows(8, tinyConfig.vocab_size);
    const own = await CausalLM.fromPretrained(dir);
    const trainer = new AdaptiveTrainer({
      model: own,
      trainDataset,
      evalDataset: trainDataset,
      args: { ...plainArgs, numEpochs: 10, precision: 'bf16' },
    });
    const before = await trainer.evaluate();
    await trainer.train();
    const after = await trainer.evaluate();
    expect(after.loss).toBeLessThan(before.loss * 0.9);
    expect(after.step).toBe(20);
    own.dispose();
  });

  it('without an evalDataset is an error', async () => {
    const trainer = new AdaptiveTrainer({
      model,
      trainDataset: trainingRows(4, tinyConfig.vocab_size),
      args: plainArgs,
    });
    await errorOf(() => trainer.evaluate(), 'INVALID_INPUT');
  });
});
