import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { tempDir } from '../helpers/temp-dir.js';
import { writeTinyModel } from '../helpers/tiny-model.js';

// Without kept blocks, or with ones that are cut and never joined, a step takes thousands of pages.
const shape = {
  hidden_size: 256,
  intermediate_size: 768,
  num_hidden_layers: 3,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  vocab_size: 4096,
};

describe.runIf(process.platform === 'linux')('a step like the one before touches no new memory', () => {
  it.each(['recomputed', 'kept'])('activations %s', { timeout: 120_000 }, async (activations) => {
    const script = new URL('page-faults.child.ts', import.meta.url).pathname;
    const model = writeTinyModel(tempDir(), shape);
    const args = ['--import', 'tsx', script, model, String(activations === 'recomputed')];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    const faults = stdout
      .trim()
      .split('\n')
      .map(Number)
      .sort((a, b) => a - b);
    expect(faults).toHaveLength(5);
    // The median: JavaScript takes and leaves pages of its own now and then.
    expect(faults[2]).toBeLessThan(100);
  });
});
