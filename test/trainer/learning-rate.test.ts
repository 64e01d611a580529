import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { learningRate, type Schedule } from '../../src/trainer/learning-rate.js';

interface Case extends Omit<Schedule, 'learningRate'> {
  rates: number[];
}

// Made by transformers' get_scheduler (scripts/oracles/schedules.py).
const fixture = new URL('../fixtures/schedules.json', import.meta.url);
const { learningRate: rate, cases } = JSON.parse(readFileSync(fixture, 'utf8')) as {
  learningRate: number;
  cases: Case[];
};

describe('learningRate', () => {
  it.each(cases)(
    'follows transformers for $type, $warmupSteps of $totalSteps steps of warm-up',
    ({ rates, ...schedule }) => {
      expect(rates).toHaveLength(schedule.totalSteps);
      rates.forEach((expected, step) => {
        const actual = learningRate(step, { ...schedule, learningRate: rate });
        expect(Math.abs(actual - expected), `step ${step}`).toBeLessThan(1e-12 * rate);
      });
    },
  );
});
