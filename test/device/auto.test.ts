// Which device a run takes where none is named.
import { beforeAll, describe, expect, test } from 'vitest';
import { runChild } from '../helpers/run-child.js';
import { tempDir } from '../helpers/temp-dir.js';
import { writeTinyModel } from '../helpers/tiny-model.js';
import { buildTimeout, canBuild, guardedDevice } from './guarded-device.js';

const program = new URL('auto.child.ts', import.meta.url);
const dir = writeTinyModel(tempDir());

describe.runIf(canBuild)('a device that nobody names', () => {
  let environment: (bytes?: number) => NodeJS.ProcessEnv;
  beforeAll(() => void (environment = guardedDevice()), buildTimeout);

  test('is the GPU', async () => {
    const { stdout, stderr } = await runChild(program, [dir], environment());
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toEqual(['cuda:0', 'cuda:0']);
  });

  test('is the CPU where the GPU does not compute as it should, which is found and told once', async () => {
    // Too little memory for the model that is tried, on a card that is tried for the first time.
    const env = { ...environment(1000), ADAPTIVE_TRAINER_CACHE: tempDir() };
    const { stdout, stderr } = await runChild(program, [dir], env);
    expect(JSON.parse(stdout)).toEqual(['cpu', 'cpu']);
    expect(stderr.match(/a small model does not come out on cuda:0/g)).toHaveLength(1);
  });
});
