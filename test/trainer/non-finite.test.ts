import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { AdaptiveTrainer } from '../../src/trainer/adaptive-trainer.js';
import type { TrainingRow } from '../../src/events/training-row.js';
import { AdaptiveTrainerError } from '../../src/errors.js';
import { CausalLM } from '../../src/model/causal-lm.js';
import { errorOf } from '../helpers/error-of.js';
import { tempDir } from '../helpers/temp-dir.js';
import type { TokenStatisticsArrays } from '../../src/trainer/step/token-statistics.js';
import type { StepEvent, WarningEvent } from '../../src/events/training-event.js';

const dir = new URL('../fixtures/end-to-end/llama', import.meta.url).pathname;
const rows: TrainingRow[] = Array.from({ length: 6 }, (_, row) => {
  const inputIds = Array.from({ length: 5 + row }, (_, i) => 3 + ((7 * row + i) % 20));
  return { inputIds, labels: inputIds, learningStyle: 'both', source: `part-${row % 2}` };
});
const args = {
  batchSize: 2,
  gradientAccumulationSteps: 1,
  numEpochs: 1,
  shuffle: false,
  warmupSteps: 0,
  fp16: false,
  optimizer: 'adamw' as const,
  evalStrategy: 'no' as const,
  saveStrategy: 'no' as const,
};

/** Weights that are finite, and whose gradients are not. */
class Overflowing extends AdaptiveTrainer {
  protected override tokenWeights({ nll }: TokenStatisticsArrays): Float32Array {
    return nll.map(() => 3e38);
  }
}

describe('a gradient that is not finite', () => {
  it('stops the run, naming the step, the rows and the weight', async () => {
    const model = await CausalLM.fromPretrained(dir);
    const trainer = new Overflowing({ model, trainDataset: rows, args });
    const error = await trainer.train().then(
      () => undefined,
      (caught: unknown) => caught,
    );
    expect(AdaptiveTrainerError.isInstance(error, 'LOSS_NOT_FINITE')).toBe(true);
    const { message, details } = error as AdaptiveTrainerError;
    expect(message).toMatch(/^Step 1: .*(gradient|loss).*Rows: 0 \(from part-0\), 1 \(from part-1\)\.$/s);
    expect(details).toMatchObject({ step: 1, rows: [0, 1] });
    // The model is as it was and can be trained.
    const after = new AdaptiveTrainer({ model, trainDataset: rows, args });
    expect(Number.isFinite((await after.train()).loss)).toBe(true);
    model.dispose();
  });

  it('is skipped, counted and warned of where that is asked for', async () => {
    const model = await CausalLM.fromPretrained(dir);
    const warnings: WarningEvent[] = [];
    const steps: StepEvent[] = [];
    class OnceOverflowing extends AdaptiveTrainer {
      private calls = 0;
      protected override tokenWeights({ nll }: TokenStatisticsArrays): Float32Array | undefined {
        return this.calls++ === 1 ? nll.map(() => 3e38) : undefined;
      }
    }
    const trainer = new OnceOverflowing({
      model,
      trainDataset: rows,
      args: { ...args, onNonFinite: 'skip' },
      callbacks: [
        { onWarning: (event) => void warnings.push(event), onStepEnd: (event) => void steps.push(event) },
      ],
    });
    const end = await trainer.train();
    expect(end).toMatchObject({ steps: 3, skippedSteps: 1 });
    expect(steps.map(({ step, skippedSteps }) => [step, skippedSteps])).toEqual([
      [1, undefined],
      [3, 1],
    ]);
    expect(warnings.map(({ code, step }) => [code, step])).toEqual([['STEP_SKIPPED', 2]]);
    expect(steps.every(({ loss, gradNorm }) => Number.isFinite(loss) && Number.isFinite(gradNorm))).toBe(
      true,
    );
    model.dispose();
  });
});

describe('skipping, where nothing can be trained any more', () => {
  const skip = { ...args, numEpochs: 2, onNonFinite: 'skip' as const };

  it('ends at once when a step has destroyed the weights', async () => {
    const model = await CausalLM.fromPretrained(dir);
    const out = tempDir();
    class Exploding extends AdaptiveTrainer {
      protected override learningRate(step: number): number {
        return step === 1 ? 1e38 : 1e-3;
      }
    }
    const steps: number[] = [];
    const trainer = new Exploding({
      model,
      trainDataset: rows,
      outputDir: out,
      args: skip,
      callbacks: [{ onStepEnd: ({ step }) => void steps.push(step) }],
    });
    const error = await errorOf(() => trainer.train(), 'LOSS_NOT_FINITE');
    expect(error.message).toContain('Step 3: the weights are not finite any more');
    expect(steps).toEqual([1, 2]);
    expect(readdirSync(out)).toEqual([]);
    model.dispose();
  });

  it('writes no model where every step was skipped', async () => {
    const model = await CausalLM.fromPretrained(dir);
    const out = tempDir();
    const trainer = new Overflowing({
      model,
      trainDataset: rows,
      outputDir: out,
      args: { ...skip, saveStrategy: 'steps' },
    });
    const error = await errorOf(() => trainer.train(), 'LOSS_NOT_FINITE');
    expect(error.message).toContain('all 6 were skipped: nothing was trained');
    expect(readdirSync(out)).toEqual([]);
    model.dispose();
  });
});

it('a gradient of zero for ten steps is warned of once', async () => {
  const model = await CausalLM.fromPretrained(dir);
  const warnings: WarningEvent[] = [];
  class Idle extends AdaptiveTrainer {
    protected override tokenWeights({ nll }: TokenStatisticsArrays): Float32Array {
      return new Float32Array(nll.length);
    }
  }
  const trainer = new Idle({
    model,
    trainDataset: rows,
    args: { ...args, numEpochs: 8 },
    callbacks: [{ onWarning: (event) => void warnings.push(event) }],
  });
  await trainer.train();
  expect(warnings.map(({ code, step }) => [code, step])).toEqual([['ZERO_GRADIENTS', 10]]);
  model.dispose();
});

it('finds nothing in a forward that is finite', async () => {
  const model = await CausalLM.fromPretrained(dir);
  const { inputIds } = rows[0]!;
  const ids = Int32Array.from(inputIds);
  const batch = {
    inputIds: ids,
    cuSeqlens: Int32Array.of(0, ids.length),
    labels: ids,
    styles: Uint8Array.of(0),
  };
  expect(await model.call((native) => native.findNonFinite(batch))).toEqual({
    module: '',
    rows: new Int32Array(),
  });
  model.dispose();
});
