import { describe, expect, it } from 'vitest';
import { runChild } from '../helpers/run-child.js';

describe('300 random corruptions of a model folder', () => {
  it('give typed errors or a model that works, and never end the process', async () => {
    const { status, signal, stdout, stderr } = await runChild(new URL('./fuzz.child.ts', import.meta.url), [
      '300',
      '20240817',
    ]);
    expect({ status, signal, stderr }).toEqual({ status: 0, signal: null, stderr: '' });
    const { opened, codes, trained } = JSON.parse(stdout) as {
      opened: number;
      codes: Record<string, number>;
      trained: boolean;
    };
    // The corruptions reach both ends, or the test tests nothing.
    expect(opened).toBeGreaterThan(10);
    for (const code of [
      'SAFETENSORS_INVALID',
      'WEIGHTS_MISMATCH',
      'MODEL_CONFIG_INVALID',
      'WEIGHTS_NOT_FINITE',
    ]) {
      expect(codes[code], code).toBeGreaterThan(0);
    }
    expect(trained).toBe(true);
  });
});
