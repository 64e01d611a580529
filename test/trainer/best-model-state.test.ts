import { expect, it } from 'vitest';
import type { EvaluateEvent } from '../../src/events/training-event.js';
import { BestModel } from '../../src/trainer/evaluation/best-model.js';

const settings = {
  metricForBestModel: 'loss',
  greaterIsBetter: false,
  earlyStoppingPatience: 2,
  earlyStoppingThreshold: 0,
} as const;

const evaluation = (step: number, loss: number) => ({ type: 'evaluate', step, loss }) as EvaluateEvent;

/** Evaluates, and saves, at steps 1, 2, … */
function after(losses: readonly number[], greaterIsBetter = false): BestModel {
  const best = new BestModel({ ...settings, greaterIsBetter });
  losses.forEach((loss, i) => {
    best.record(evaluation(i + 1, loss));
    best.onSaved(i + 1);
  });
  return best;
}

it('is the lowest loss, the first of equal ones', () => {
  expect(after([3, 1, 2]).saved).toEqual({ step: 2, value: 1 });
  expect(after([1, 1]).saved).toEqual({ step: 1, value: 1 });
  expect(after([3, 1, 5], true).saved).toEqual({ step: 3, value: 5 });
});

it('is never a step whose value is not finite', () => {
  for (const value of [NaN, Infinity, -Infinity]) {
    expect(after([value]).saved).toBeNull();
    expect(after([2, value]).saved).toEqual({ step: 1, value: 2 });
  }
  expect(after([NaN, 2]).saved).toEqual({ step: 2, value: 2 });
});

it('is none of a step that was saved without being evaluated', () => {
  const best = new BestModel(settings);
  best.record(evaluation(1, 1));
  best.onSaved(2);
  expect(best.saved).toBeNull();
});

it('stops after as many evaluations without improvement as the patience says, not before', () => {
  expect(after([3, 4]).isPatienceOver).toBe(false);
  expect(after([3, 4, 5]).isPatienceOver).toBe(true);
  expect(after([3, 4, 2]).isPatienceOver).toBe(false);
  expect(after([3, 4, 2, 3]).isPatienceOver).toBe(false);
});
