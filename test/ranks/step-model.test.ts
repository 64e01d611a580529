import { describe, expect, test } from 'vitest';
import {
  afterwardsSeconds,
  backwardParts,
  bytesPerSecond,
  exposedSeconds,
  parameterCount,
  ringBytes,
  type ModelShape,
} from '../../bench/ranks/step-model.js';

const shape: ModelShape = { layers: 2, hidden: 4, intermediate: 8, keyValue: 2, vocab: 10, tied: false };

describe('what a step over a link is worked out to take', () => {
  test('from the weights of a model', () => {
    // Per block q and o 16 each, k and v 8 each, three of 32, two norms of 4.
    expect(parameterCount(shape)).toBe(2 * (32 + 16 + 96 + 8) + 2 * 40 + 4);
    expect(parameterCount({ ...shape, tied: true })).toBe(parameterCount(shape) - 40);
    // As the model cards say it.
    const llama8 = {
      layers: 32,
      hidden: 4096,
      intermediate: 14_336,
      keyValue: 1024,
      vocab: 128_256,
      tied: false,
    };
    expect(parameterCount(llama8)).toBe(8_030_261_248);
  });

  test('sums go round a ring', () => {
    expect(ringBytes(100, 2)).toBe(100);
    expect(ringBytes(100, 4)).toBe(150);
    expect(bytesPerSecond('100mbit')).toBe(12.5e6);
    expect(bytesPerSecond('2.5gbit')).toBe(312.5e6);
    expect(() => bytesPerSecond('fast')).toThrow('100mbit');
  });

  test('a bucket is sent once its part is whole and those before it are sent', () => {
    const parts = [
      { seconds: 1, bytes: 300 },
      { seconds: 1, bytes: 100 },
      { seconds: 1, bytes: 50 },
    ];
    // 100 a second between two: 1–4, 4–5, 5–5.5.
    expect(exposedSeconds(parts, 2, 100)).toBeCloseTo(2.5, 12);
    expect(afterwardsSeconds(parts, 2, 100)).toBeCloseTo(4.5, 12);
    // 1000 a second: 1–1.3, 2–2.1, 3–3.05.
    expect(exposedSeconds(parts, 2, 1000)).toBeCloseTo(0.05, 12);
    // Never more than after the pass, and less wherever something can go on meanwhile.
    for (const bandwidth of [1, 10, 100, 1e4])
      expect(exposedSeconds(parts, 8, bandwidth)).toBeLessThan(afterwardsSeconds(parts, 8, bandwidth));
  });

  test('the parts of a backward pass are all of it', () => {
    for (const tied of [true, false]) {
      const parts = backwardParts({ ...shape, tied }, 6);
      expect(parts.reduce((sum, { seconds }) => sum + seconds, 0)).toBeCloseTo(6, 12);
      const bytes = parts.reduce((sum, part) => sum + part.bytes, 0);
      expect(bytes).toBe(4 * (parameterCount({ ...shape, tied }) - shape.hidden));
    }
  });
});
