import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runChild } from '../helpers/run-child.js';
import { tempDir } from '../helpers/temp-dir.js';

const child = new URL('load-peak.child.ts', import.meta.url);

async function run(...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await runChild(child, args);
  expect(status, stderr).toBe(0);
  return stdout;
}

// Linux keeps the record of a process' peak.
describe.runIf(process.platform === 'linux')('opening a large checkpoint in bfloat16', () => {
  const dir = join(tempDir(), 'large');

  it('needs at its peak less than 1.15 of what stays: float32 weights, or the bfloat16 ones under an adapter', async () => {
    await run('write', dir);
    for (const [kind, bytes] of [
      ['plain', 4],
      ['adapter', 2],
    ] as const) {
      const { grown, weights, parameters } = JSON.parse(await run(kind, dir)) as Record<string, number>;
      expect(weights! / (bytes * parameters!)).toBeGreaterThan(0.99);
      expect(weights! / (bytes * parameters!)).toBeLessThan(1.01);
      expect(grown! / weights!).toBeLessThan(1.15);
      expect(grown! / weights!).toBeGreaterThan(0.9);
    }
  });
});
