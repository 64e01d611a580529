import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** What a command did. */
export interface CommandResult {
  status: number | null;
  stdout: string;
  stderr: string;
}

const root = fileURLToPath(new URL('../../', import.meta.url));

/**
 * Runs a TypeScript program of this repository as a child process.
 * @param onOutput is told of everything printed so far, and may send a signal
 */
export function runCommand(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
  onOutput: (output: string, send: (signal: NodeJS.Signals) => void) => void = () => {},
): Promise<CommandResult> {
  const quiet = { HF_TOKEN: '', WANDB_API_KEY: '', WORLD_SIZE: '', DEBUG: '' };
  const child = spawn(process.execPath, ['--import', 'tsx', program, ...args], {
    cwd: root,
    env: { ...process.env, ...quiet, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const result: CommandResult = { status: null, stdout: '', stderr: '' };
  const take = (name: 'stdout' | 'stderr') => (chunk: Buffer) => {
    result[name] += chunk.toString();
    onOutput(result.stdout + result.stderr, (signal) => child.kill(signal));
  };
  child.stdout.on('data', take('stdout'));
  child.stderr.on('data', take('stderr'));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => resolve({ ...result, status }));
  });
}
