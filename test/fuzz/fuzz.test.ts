import { join } from 'node:path';
import { expect, it } from 'vitest';
import { tempDir } from '../helpers/temp-dir.js';
import { runFuzzer } from './run-fuzzer.js';
import { targets, type TargetName } from './targets.js';

// The files that are kept, and changed ones: always the same. `npm run fuzz` looks for more.
it.each(Object.keys(targets) as TargetName[])(
  '%s: every file is read, or refused with an error of the library’s own',
  async (target) => {
    const findings = join(tempDir(), target);
    const report = await runFuzzer({ target, seed: 7, rounds: 60, findings });
    expect(report.findings).toEqual([]);
    expect(report.rounds).toBe(60);
    const { read = 0, ...refused } = report.outcomes;
    expect([read > 0, Object.keys(refused).length > 0]).toEqual([true, true]);
  },
  300_000,
);
