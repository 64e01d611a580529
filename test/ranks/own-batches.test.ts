import { describe, expect, test } from 'vitest';
import { tempDir } from '../helpers/temp-dir.js';
import { writeTinyModel } from '../helpers/tiny-model.js';
import type { OwnBatchesRun } from './own-batches.child.js';
import { startRanks } from './run-ranks.js';

const program = new URL('own-batches.child.ts', import.meta.url);
const dir = writeTinyModel(tempDir());
const timeout = 300_000;

interface Found {
  steps: Record<'loss' | 'gradNorm' | 'tokens' | 'labelledTokens', number>[];
  digest?: string;
  code?: string;
  message?: string;
}

async function trained(run: OwnBatchesRun, size: number): Promise<Found[]> {
  const ranks = await startRanks(program, size, () => [JSON.stringify(run)]);
  const results = await Promise.all(ranks.map(({ result }) => result));
  return results.map(({ stdout }) => JSON.parse(stdout) as Found);
}

describe("batches of a trainer's own", () => {
  test('are divided: all ranks together take the steps of one process', { timeout }, async () => {
    const [one] = await trained({ dir }, 1);
    expect(one!.steps.length).toBeGreaterThan(6);
    for (const size of [2, 3]) {
      const found = await trained({ dir }, size);
      expect(new Set(found.map(({ digest }) => digest)).size).toBe(1);
      for (const { steps } of found) {
        expect(steps.map(({ tokens, labelledTokens }) => [tokens, labelledTokens])).toEqual(
          one!.steps.map(({ tokens, labelledTokens }) => [tokens, labelledTokens]),
        );
        steps.forEach(({ loss, gradNorm }, i) => {
          expect(Math.abs(loss - one!.steps[i]!.loss)).toBeLessThan(1e-5);
          expect(Math.abs(gradNorm - one!.steps[i]!.gradNorm)).toBeLessThan(1e-5 * (1 + gradNorm));
        });
      }
    }
  });

  test.each([
    ['order', false],
    ['content', false],
    ['end', false],
    ['order', true],
    ['content', true],
    ['end', true],
  ] as const)('of another %s at one rank end all (a stream: %s)', { timeout }, async (other, streamed) => {
    const found = await trained({ dir, other, streamed }, 2);
    for (const { code, digest } of found) {
      expect(digest).toBeUndefined();
      expect(['RANKS_DIFFER', 'RANKS_FAILED']).toContain(code);
    }
    expect(found.some(({ code }) => code === 'RANKS_DIFFER')).toBe(true);
    for (const { message } of found) expect(message).toContain('the same rows');
    // What came before was the same.
    expect(found[0]!.steps.length).toBeGreaterThan(0);
  });
});
