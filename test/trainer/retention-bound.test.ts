import { describe, expect, it } from 'vitest';
import { tempDir } from '../helpers/temp-dir.js';
import { tinyConfig, writeTinyModel } from '../helpers/tiny-model.js';
import { plainArgs, trainRun } from '../helpers/train-run.js';
import { trainingRows } from '../helpers/training-rows.js';

describe('maxKlDivergence', () => {
  it.each([0.02, 0.05, 0.1])(
    'holds the divergence at %d nats within a fifth, from the middle of a run on',
    async (bound) => {
      const steps = await trainRun(writeTinyModel(tempDir()), {
        trainDataset: trainingRows(40, tinyConfig.vocab_size, 3),
        retentionCache: tempDir(),
        args: {
          ...plainArgs,
          ...{ numEpochs: 40, learningRate: 3e-3, lrSchedulerType: 'cosine', warmupSteps: 20 },
          retention: { samples: 400, length: 32, tokensPerStep: 64, pullToBase: 0 },
        },
        adaptiveLoss: { loss: 'ce', maxKlDivergence: bound },
      });
      const later = steps.slice(steps.length / 2).map((step) => step.divergence!);
      // Over a quarter of the run at a time: a step measures two rows.
      for (const part of [later.slice(0, later.length / 2), later.slice(later.length / 2)]) {
        const mean = part.reduce((sum, one) => sum + one, 0) / part.length;
        expect(Math.abs(mean / bound - 1), `mean ${mean}`).toBeLessThan(0.2);
      }
    },
  );
});
