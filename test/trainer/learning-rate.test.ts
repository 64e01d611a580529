import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseTrainerConfig } from '../../src/config/read/parse-trainer-config.js';
import { learningRate, type Schedule } from '../../src/trainer/step/learning-rate.js';

interface Case {
  type: Schedule['type'];
  kwargs: Record<string, unknown>;
  learningRate: number;
  warmupSteps: number;
  totalSteps: number;
  rates: number[];
}

// What transformers.get_scheduler gives (scripts/oracles/schedules.py).
const path = new URL('../fixtures/extra/schedules.json', import.meta.url);
const cases = JSON.parse(readFileSync(path, 'utf8')) as Case[];

describe('learningRate', () => {
  it.each(cases)('is that of transformers: $type $kwargs, $warmupSteps of $totalSteps', (given) => {
    const { args } = parseTrainerConfig({
      args: { lr_scheduler_type: given.type, lr_scheduler_kwargs: given.kwargs },
    });
    const { learningRate: rate, warmupSteps, totalSteps } = given;
    const { lrSchedulerType: type, lrSchedulerKwargs: kwargs } = args;
    given.rates.forEach((expected, step) => {
      const actual = learningRate(step, { type, kwargs, learningRate: rate, warmupSteps, totalSteps });
      // Relative to the highest rate.
      expect(Math.abs(actual - expected) / rate, `step ${step}`).toBeLessThan(1e-12);
    });
  });

  it('takes wsd for warmup_stable_decay, with a decay of a tenth of the run', () => {
    const schedule = { learningRate: 1, warmupSteps: 5, totalSteps: 100 };
    for (const step of [0, 3, 50, 89, 91, 95, 99]) {
      const short = learningRate(step, { type: 'wsd', ...schedule });
      const long = { type: 'warmup_stable_decay', kwargs: { numDecaySteps: 10 }, ...schedule } as const;
      expect(short).toBe(learningRate(step, long));
    }
  });

  it('takes minLrRate from the configuration itself too', () => {
    const schedule = { type: 'cosine_with_min_lr', learningRate: 2, warmupSteps: 0, totalSteps: 10 } as const;
    expect(learningRate(4, { ...schedule, minLrRate: 0.2 })).toBe(
      learningRate(4, { ...schedule, kwargs: { minLrRate: 0.2 } }),
    );
  });
});
