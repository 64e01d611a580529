import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** Runs scripts/train-seed-lm with these arguments, showing what it prints. */
export async function trainSeedLm(args: readonly string[]): Promise<void> {
  const script = 'scripts/train-seed-lm/train-seed-lm.ts';
  const child = spawn(process.execPath, ['--import', 'tsx', script, ...args], { stdio: ['ignore', 2, 2] });
  const [status] = (await once(child, 'exit')) as [number | null];
  if (status !== 0)
    throw new Error(`Expected ${script} ${args.join(' ')} to succeed, but it ended with ${status}.`);
}
