import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AdaptiveTrainerError } from '../../src/errors.js';
import { CausalLM } from '../../src/model/causal-lm.js';
import { NumberGuard } from '../../src/trainer/step/number-guard.js';
import { errorOf } from '../helpers/error-of.js';
import { tempDir } from '../helpers/temp-dir.js';
import { tinyConfig, writeTinyModel } from '../helpers/tiny-model.js';
import { trainingRows } from '../helpers/training-rows.js';

let model: CausalLM;
beforeAll(async () => {
  model = await CausalLM.fromPretrained(writeTinyModel(tempDir()));
});
afterAll(() => model.dispose());

const window = [trainingRows(2, tinyConfig.vocab_size)];
const notFinite = new AdaptiveTrainerError('LOSS_NOT_FINITE', 'The loss is NaN.');

describe('a watch over the numbers of a run', () => {
  it('warns once of ten zero gradients in a row, and only in a row', () => {
    const guard = new NumberGuard(model, 'stop');
    const norms = [...Array<number>(9).fill(0), 0.5, ...Array<number>(25).fill(0)];
    const warned = norms.flatMap((norm, i) => (guard.onStep(norm, i + 1, []) === undefined ? [] : [i + 1]));
    expect(warned).toEqual([20]);
    expect(guard.state.zeroNormsInARow).toBe(25);
  });

  it('counts overflows of float16, and gives up at the twentieth in a row', async () => {
    const guard = new NumberGuard(model, 'stop');
    for (let i = 0; i < 19; i++) guard.onOverflow(2 ** -i, i + 1);
    guard.onStep(1, 20, []);
    for (let i = 0; i < 19; i++) guard.onOverflow(2 ** -i, i + 21);
    expect(guard.state.skippedSteps).toBe(38);
    const error = await errorOf(() => guard.onOverflow(0.25, 40), 'LOSS_NOT_FINITE');
    expect(error.details).toMatchObject({ step: 40, lossScale: 0.25 });
  });

  it('skips steps where told so, and gives up at the twentieth in a row', async () => {
    const guard = new NumberGuard(model, 'skip');
    for (let step = 1; step < 20; step++) {
      const warning = await guard.onNonFinite(notFinite, step, window);
      expect(warning).toMatchObject({ code: 'STEP_SKIPPED', step });
    }
    guard.onStep(1, 20, []);
    for (let step = 21; step < 40; step++) await guard.onNonFinite(notFinite, step, window);
    expect(guard.state.skippedSteps).toBe(38);
    await errorOf(() => guard.onNonFinite(notFinite, 40, window), 'LOSS_NOT_FINITE');
  });

  it('stops at the first where told so, and leaves other errors as they are', async () => {
    const guard = new NumberGuard(model, 'stop');
    const error = await errorOf(() => guard.onNonFinite(notFinite, 3, window), 'LOSS_NOT_FINITE');
    expect(error.details).toMatchObject({ step: 3, module: '', rows: [undefined, undefined] });
    expect(error.cause).toBe(notFinite);
    const other = new RangeError('mine');
    await expect(guard.onNonFinite(other, 3, window)).rejects.toBe(other);
    expect(guard.state.skippedSteps).toBe(0);
  });
});
