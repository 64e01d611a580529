import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { tempDir } from '../helpers/temp-dir.js';
import { writeTinyModel } from '../helpers/tiny-model.js';

it('memory stays flat over 2,000 steps', { timeout: 120_000 }, async () => {
  const script = new URL('flat-memory.child.ts', import.meta.url).pathname;
  // Wide enough that a block's output lost in every step would show.
  const model = writeTinyModel(tempDir(), { hidden_size: 64, num_attention_heads: 4 });
  const args = ['--expose-gc', '--import', 'tsx', script, model, tempDir()];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  const memory = stdout.trim().split('\n').map(Number);
  expect(memory).toHaveLength(20);
  // Means of 500 steps each: a page that malloc keeps or returns is no trend.
  const mean = (from: number) => memory.slice(from, from + 5).reduce((sum, bytes) => sum + bytes, 0) / 5;
  expect(mean(15) / mean(5)).toBeLessThan(1.02);
});
