import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import type { MemoryReport } from '../../src/trainer/check-memory.js';

const root = new URL('../../', import.meta.url).pathname;

// A peak belongs to a whole process, so each run has one of its own; Linux keeps the record.
it.runIf(process.platform === 'linux').each([
  ['float32', []],
  ['bf16 with checkpointing', ['--precision', 'bf16', '--checkpointing']],
  ['bf16 with an adapter', ['--precision', 'bf16', '--lora']],
])('the estimate is within 15%% of the measured peak: seed-lm in %s', async (_, flags) => {
  const args = ['--import', 'tsx', 'bench/memory/train-once.ts', '--model', 'examples/seed-lm', ...flags];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root });
  const { memory, peakBytes } = JSON.parse(stdout) as { memory: MemoryReport; peakBytes: number };
  expect(memory.total / peakBytes).toBeGreaterThan(0.85);
  expect(memory.total / peakBytes).toBeLessThan(1.15);
});
