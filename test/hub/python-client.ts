import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { HubTest } from './hub-test.js';

const script = fileURLToPath(new URL('python/client.py', import.meta.url));

/** A Python with huggingface_hub and datasets; undefined: the tests that need it are skipped. */
export const python = process.env['ADAPTIVE_TRAINER_PYTHON'] || undefined;

/** Why, for the name of the tests. */
export const needsPython =
  python === undefined
    ? 'skipped: ADAPTIVE_TRAINER_PYTHON names no Python with huggingface_hub and datasets'
    : 'runs huggingface_hub';

/** Runs the official client against the stand-in Hub, with the test's cache, and gives what it prints. */
export async function runPython<T>(
  test: HubTest,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<T> {
  const home = join(test.folder, 'hf');
  const { stdout } = await promisify(execFile)(python!, [script, ...args], {
    maxBuffer: 1 << 26,
    env: {
      PATH: process.env['PATH'],
      HOME: test.folder,
      HF_HOME: home,
      HF_HUB_CACHE: join(home, 'hub'),
      HF_ENDPOINT: test.hub.endpoint,
      // Xet is another protocol, spoken to other servers; without it the client uses Git LFS.
      HF_HUB_DISABLE_XET: '1',
      HF_HUB_DISABLE_TELEMETRY: '1',
      HF_HUB_DISABLE_UPDATE_CHECK: '1',
      HF_HUB_DISABLE_PROGRESS_BARS: '1',
      ...env,
    },
  });
  return JSON.parse(stdout.trim().split('\n').at(-1)!) as T;
}
