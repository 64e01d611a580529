import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { chooseWaiting } from '../../../src/engine/load/choose-waiting.js';
import { tempDir } from '../../helpers/temp-dir.js';

const file = join(tempDir(), 'schedstat');

/** The variables that are set afterwards, of a process with these statistics. */
function chosen(environment: NodeJS.ProcessEnv, statistics?: string): NodeJS.ProcessEnv {
  if (statistics !== undefined) writeFileSync(file, statistics);
  chooseWaiting(environment, statistics === undefined ? join(tempDir(), 'none') : file);
  return environment;
}

describe('how OpenMP threads wait', () => {
  test('they look for a moment first, where the system tells whether others want the cores', () => {
    expect(chosen({}, '86000 2100 12\n')).toEqual({ GOMP_SPINCOUNT: '30000' });
  });

  test.each([undefined, '0 0 0\n', ''])('they sleep at once where it does not (%j)', (statistics) => {
    expect(chosen({}, statistics)).toEqual({ OMP_WAIT_POLICY: 'PASSIVE' });
  });

  test('what the user says stays', () => {
    for (const OMP_WAIT_POLICY of ['ACTIVE', 'PASSIVE'])
      expect(chosen({ OMP_WAIT_POLICY }, '86000 2100 12\n')).toEqual({ OMP_WAIT_POLICY });
    expect(chosen({ GOMP_SPINCOUNT: '7' }, '86000 2100 12\n')).toEqual({ GOMP_SPINCOUNT: '7' });
  });
});
