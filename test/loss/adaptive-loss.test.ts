import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { LearningStyle } from '../../src/events/learning-style.js';
import { adaptiveLoss, type AdaptiveLossOptions } from '../../src/loss/adaptive-loss.js';
import type { AdaptiveState } from '../../src/engine/addon.js';
import { largestDifference } from '../helpers/differences.js';
import { numbers, readSafetensors } from '../helpers/read-safetensors.js';

interface Case {
  name: string;
  topK: number;
  batch: number;
  seq: number;
  hidden: number;
  vocab: number;
  confidence?: number;
  demarcationIds?: number[];
  demarkationIds?: number[];
  alphaInitial: number;
  betaInitial: number;
  steps: {
    styles: LearningStyle[];
    loss: number;
    alphaAfter: number;
    betaAfter: number;
    stats: Record<string, number>;
  }[];
}

const fixtures = new URL('../fixtures/', import.meta.url).pathname;

function casesIn(folder: string): { folder: string; entry: Case }[] {
  const dir = join(fixtures, folder);
  const cases = JSON.parse(readFileSync(join(dir, 'index.json'), 'utf8')) as Case[];
  return cases.map((entry) => ({ folder: dir, entry }));
}

// `adaptive-loss` is the Python package's own output, `extra` an independent float64 implementation (scripts/oracles).
const cases = [
  ...casesIn('adaptive-loss'),
  ...casesIn('extra/adaptive-loss'),
  ...casesIn('extra/adaptive-loss-confidence'),
];

describe.each(cases)('adaptiveLoss on $entry.name', ({ folder, entry }) => {
  const arrays = readSafetensors(join(folder, `${entry.name}.safetensors`));

  function optionsOf(step: number): AdaptiveLossOptions {
    return {
      hidden: Float32Array.from(numbers(arrays[`s${step}.hidden`]!)),
      weight: Float32Array.from(numbers(arrays['weight']!)),
      rows: entry.batch,
      seq: entry.seq,
      hiddenSize: entry.hidden,
      vocabSize: entry.vocab,
      labels: Int32Array.from(numbers(arrays[`s${step}.labels`]!)),
      styles: entry.steps[step]!.styles,
      topK: entry.topK,
      ...(entry.confidence === undefined ? {} : { confidence: entry.confidence }),
      demarcationIds: entry.demarcationIds ?? entry.demarkationIds ?? [],
    };
  }

  it.each([1, 7, undefined])('matches the reference with chunks of %s tokens', async (chunkTokens) => {
    let state: Partial<AdaptiveState> = { alpha: entry.alphaInitial, beta: entry.betaInitial };
    for (const [i, expected] of entry.steps.entries()) {
      const options = { ...optionsOf(i), state };
      const result = await adaptiveLoss(chunkTokens === undefined ? options : { ...options, chunkTokens });

      // The floor is for losses of 1e-12, where the rounding of float32 logits of 30 alone is 4e-5 of the value.
      expect(Math.abs(result.loss - expected.loss)).toBeLessThanOrEqual(
        1e-5 * Math.abs(expected.loss) + 1e-15,
      );
      const { attention_bias_alpha: _a, coherence_bias_beta: _b, ...counts } = expected.stats;
      expect(result.statistics).toMatchObject(counts);
      // The floors, here and for nll below, are the rounding of the reference itself: where every token is sure, its float64
      // logits of 50 are 7e-15 apart, and what is left of nll and gradients is 1e-14.
      for (const name of ['gradHidden', 'gradWeight'] as const) {
        const exact = numbers(arrays[`s${i}.${name}`]!);
        const largest = exact.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
        expect(largestDifference(result[name], exact), name).toBeLessThanOrEqual(1e-4 * largest + 1e-15);
      }
      expect(Math.abs(result.state.alpha - expected.alphaAfter)).toBeLessThan(1e-6);
      expect(Math.abs(result.state.beta - expected.betaAfter)).toBeLessThan(1e-6);
      const nll = numbers(arrays[`s${i}.nll`]!);
      expect(largestDifference(result.tokens.nll, nll)).toBeLessThan(1e-5 * Math.max(...nll) + 1e-14);
      expect([...result.tokens.rank]).toEqual([...numbers(arrays[`s${i}.rank`]!)]);
      state = result.state;
    }
  });

  it('changes neither gradients nor α and β when it only evaluates', async () => {
    const state = { alpha: entry.alphaInitial, beta: entry.betaInitial };
    const result = await adaptiveLoss({ ...optionsOf(0), state, training: false });
    expect(Math.abs(result.loss - entry.steps[0]!.loss)).toBeLessThanOrEqual(
      1e-5 * entry.steps[0]!.loss + 1e-15,
    );
    expect(result.state).toMatchObject({ ...state, step: 0 });
    expect(result.gradHidden).toHaveLength(0);
  });

  it('stays close in bfloat16', async () => {
    const options = { ...optionsOf(0), state: { alpha: entry.alphaInitial, beta: entry.betaInitial } };
    const [exact, rounded] = await Promise.all([
      adaptiveLoss(options),
      adaptiveLoss({ ...options, dtype: 'bfloat16' }),
    ]);
    // Logits of up to 30 are rounded to 8 bits of mantissa (steps of 0.125 there), which moves ranks and with them the
    // choice of trained tokens; the plain mean of nll does not depend on that choice.
    expect(Math.abs(rounded.statistics.common - exact.statistics.common)).toBeLessThanOrEqual(
      0.05 + 0.02 * exact.statistics.common,
    );
    expect(rounded.gradHidden.every(Number.isFinite)).toBe(true);
  });
});
