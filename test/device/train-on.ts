import { expect } from 'vitest';
import type { EndEvent, EvaluateEvent, StepEvent } from '../../src/events/training-event.js';
import { startRanks } from '../ranks/run-ranks.js';
import type { RankRun } from '../ranks/train.child.js';

export const program = new URL('../ranks/train.child.ts', import.meta.url);

export interface Found {
  rank: number;
  device: string;
  digest: string;
  warnings: string[];
  end: EndEvent;
  evaluations: EvaluateEvent[];
  steps: Pick<StepEvent, 'step' | 'loss' | 'gradNorm' | 'alpha' | 'beta' | 'labelledTokens' | 'divergence'>[];
}

/**
 * Trains with 12 rows a step, as `size` ranks, and gives what each found.
 * @param env the variables of a device; undefined: on the CPU
 */
export async function trainedOn(
  env: NodeJS.ProcessEnv | undefined,
  run: RankRun,
  size = 1,
): Promise<Found[]> {
  const device = env === undefined ? 'cpu' : 'cuda';
  const own = { ...run, device, args: { batchSize: 12 / size, ...run.args } };
  const ranks = await startRanks(program, size, () => [JSON.stringify(own)], { env: () => env ?? {} });
  const results = await Promise.all(ranks.map(({ result }) => result));
  return results.map(({ status, signal, stdout, stderr }) => {
    expect(stderr).toBe('');
    expect({ status, signal }, stdout).toEqual({ status: 0, signal: null });
    const found = JSON.parse(stdout) as Found;
    expect(found.device).toBe(env === undefined ? 'cpu' : 'cuda:0');
    return found;
  });
}

/** The steps are those of another run, but for a share of each number (absolute below 1). */
export function expectSteps(found: Found['steps'], expected: Found['steps'], tolerance: number): void {
  expect(found.map(({ step }) => step)).toEqual(expected.map(({ step }) => step));
  found.forEach((step, i) => {
    const one = expected[i]!;
    expect(step.labelledTokens).toBe(one.labelledTokens);
    for (const key of ['loss', 'gradNorm', 'alpha', 'beta', 'divergence'] as const) {
      expect(step[key] === undefined, `${key} of step ${step.step}`).toBe(one[key] === undefined);
      if (one[key] === undefined || (one[key] === null && step[key] === null)) continue;
      const difference = Math.abs(step[key]! - one[key]) / Math.max(1, Math.abs(one[key]));
      expect(difference, `${key} of step ${step.step}`).toBeLessThan(
        key === 'gradNorm' ? 5 * tolerance : tolerance,
      );
    }
  });
}
