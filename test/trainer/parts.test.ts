import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { TrainingRow } from '../../src/events/training-row.js';
import { AdaptiveTrainer } from '../../src/trainer/adaptive-trainer.js';
import type { TrainingRows } from '../../src/trainer/batches/training-rows.js';
import type { MicroBatchPlace } from '../../src/trainer/step/take-step.js';
import { tempDir } from '../helpers/temp-dir.js';
import { tinyConfig, writeTinyModel } from '../helpers/tiny-model.js';
import { losses, trainRun } from '../helpers/train-run.js';
import { trainingRows } from '../helpers/training-rows.js';

let dir: string;
beforeAll(() => {
  dir = writeTinyModel(tempDir());
});
const trainDataset = trainingRows(22, tinyConfig.vocab_size);
const evalDataset = trainingRows(6, tinyConfig.vocab_size, 3);

describe('the parts of a trainer', () => {
  it('are called in the order that the class describes', async () => {
    const calls: string[] = [];
    class Watching extends AdaptiveTrainer {
      protected override trainBatches(epoch: number) {
        calls.push(`trainBatches ${epoch}`);
        return super.trainBatches(epoch);
      }
      protected override trainStep(window: readonly TrainingRow[][], rate: number) {
        calls.push(`trainStep of ${window.length}`);
        return super.trainStep(window, rate);
      }
      protected override trainMicroBatch(rows: TrainingRow[], place: MicroBatchPlace) {
        calls.push(`trainMicroBatch ${place.index} of ${rows.length}`);
        return super.trainMicroBatch(rows, place);
      }
      protected override optimizerStep(rate: number) {
        calls.push('optimizerStep');
        return super.optimizerStep(rate);
      }
      protected override afterStep() {
        calls.push(`afterStep ${this.progress.step}`);
        return super.afterStep();
      }
      protected override evaluateRows(rows: TrainingRows) {
        calls.push('evaluateRows');
        return super.evaluateRows(rows);
      }
      protected override saveCheckpoint() {
        calls.push('saveCheckpoint');
        return super.saveCheckpoint();
      }
      protected override saveFinalModel() {
        calls.push('saveFinalModel');
        return super.saveFinalModel();
      }
      override saveModel(...args: Parameters<AdaptiveTrainer['saveModel']>) {
        calls.push('saveModel');
        return super.saveModel(...args);
      }
    }
    const rows = trainDataset.slice(0, 10);
    const args = {
      ...({ batchSize: 4, gradientAccumulationSteps: 2, evalStrategy: 'steps', evalSteps: 2 } as const),
      ...({ saveStrategy: 'steps', saveSteps: 2 } as const),
    };
    const outputDir = join(tempDir(), 'run');
    await trainRun(dir, { trainDataset: rows, evalDataset, args, outputDir }, Watching);
    expect(calls).toEqual([
      'trainBatches 0',
      'trainStep of 2',
      'trainMicroBatch 0 of 4',
      'trainMicroBatch 1 of 4',
      'optimizerStep',
      'afterStep 1',
      'trainStep of 1',
      'trainMicroBatch 0 of 2',
      'optimizerStep',
      'afterStep 2',
      'evaluateRows',
      'saveCheckpoint',
      'saveModel',
      'saveFinalModel',
      'saveModel',
    ]);
  });

  it('may be put together anew: a step of twice the gradients and half the rate is the same step of sgd', async () => {
    class Twice extends AdaptiveTrainer {
      protected override trainMicroBatch(rows: TrainingRow[], place: MicroBatchPlace) {
        return super.trainMicroBatch(rows, { ...place, share: 2 * place.share });
      }
      protected override optimizerStep(rate: number) {
        return super.optimizerStep(rate / 2);
      }
    }
    const args = { optimizer: 'sgd', maxGradNorm: 1e9, weightDecay: 0, loss: 'ce' } as const;
    const plain = await trainRun(dir, { trainDataset, args });
    const twice = await trainRun(dir, { trainDataset, args }, Twice);
    // A factor of two and its half are exact in floating point.
    expect(losses(twice)).toEqual(losses(plain));
    expect(twice.map((step) => step.gradNorm)).toEqual(plain.map((step) => 2 * step.gradNorm));
    expect(losses(plain).at(-1)).not.toBe(losses(plain)[0]);
  });

  it('tell of a step what trainStep returns', async () => {
    class Pretending extends AdaptiveTrainer {
      protected override async trainStep(window: readonly TrainingRow[][], rate: number) {
        return { ...(await super.trainStep(window, rate)), loss: this.progress.step };
      }
    }
    expect(losses(await trainRun(dir, { trainDataset }, Pretending))).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('may evaluate otherwise, and the run takes it from there', async () => {
    class Mine extends AdaptiveTrainer {
      protected override async evaluateRows(rows: TrainingRows) {
        return { ...(await super.evaluateRows(rows)), loss: 7 };
      }
    }
    const found: number[] = [];
    await trainRun(
      dir,
      {
        trainDataset,
        evalDataset,
        args: { evalStrategy: 'epoch' },
        callbacks: [{ onEvaluate: ({ loss }) => void found.push(loss) }],
      },
      Mine,
    );
    expect(found).toEqual([7]);
  });

  it('may save nothing, or more', async () => {
    const kept: string[] = [];
    class Frugal extends AdaptiveTrainer {
      protected override async saveCheckpoint() {
        kept.push(`step ${this.progress.step}`);
        return undefined;
      }
      protected override async saveFinalModel() {
        return '';
      }
    }
    const outputDir = join(tempDir(), 'run');
    const args = { saveStrategy: 'steps', saveSteps: 3 } as const;
    await trainRun(dir, { trainDataset, outputDir, args }, Frugal);
    expect(kept).toEqual(['step 3', 'step 6']);
    expect(readdirSync(outputDir)).toEqual([]);
  });
});
