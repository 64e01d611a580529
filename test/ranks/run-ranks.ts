import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { freePort } from '../helpers/free-port.js';
import type { ChildResult } from '../helpers/run-child.js';

/** The variables that make a process rank `rank` of `size` on this machine. */
function rankEnvironment(rank: number, size: number, port: number): NodeJS.ProcessEnv {
  return {
    ...{ RANK: String(rank), WORLD_SIZE: String(size) },
    ...{ LOCAL_RANK: String(rank), LOCAL_WORLD_SIZE: String(size) },
    ...{ MASTER_ADDR: '127.0.0.1', MASTER_PORT: String(port) },
  };
}

export interface StartOptions {
  /** How many the variables say, where that is not how many are started. */
  size?: number;
  /** More variables of a rank. */
  env?: (rank: number) => NodeJS.ProcessEnv;
  /** Another program at some ranks. */
  program?: (rank: number) => URL | undefined;
  /** The command that runs it, with its arguments. */
  prefix?: (rank: number) => readonly string[];
}

export interface StartedRank {
  child: ChildProcess;
  result: Promise<ChildResult>;
  /** Waits for a text on standard error; rejects where the rank ends without it. */
  has(text: string): Promise<void>;
}

/**
 * Starts a program as ranks of this machine; a single one gets no variables.
 */
export async function startRanks(
  program: URL,
  started: number,
  args: (rank: number) => readonly string[],
  {
    size = started,
    env = () => ({}),
    prefix = () => [],
    program: ofRank = () => undefined,
  }: StartOptions = {},
): Promise<StartedRank[]> {
  const port = await freePort();
  return Array.from({ length: started }, (_, rank) => {
    const line = [
      ...prefix(rank),
      process.execPath,
      '--import',
      'tsx',
      fileURLToPath(ofRank(rank) ?? program),
      ...args(rank),
    ];
    const child = spawn(line[0]!, line.slice(1), {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...{ ...process.env, OMP_NUM_THREADS: '1' },
        ...(size > 1 ? rankEnvironment(rank, size, port) : {}),
        ...env(rank),
      },
    });
    const found: ChildResult = { status: null, signal: null, stdout: '', stderr: '' };
    child.stdout.on('data', (chunk: Buffer) => (found.stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (found.stderr += chunk.toString()));
    const result = new Promise<ChildResult>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (status, signal) => resolve({ ...found, status, signal }));
    });
    const has = (text: string) =>
      new Promise<void>((resolve, reject) => {
        const look = () => found.stderr.includes(text) && resolve();
        child.stderr.on('data', look);
        child.on('close', () =>
          reject(new Error(`Rank ${rank} ended without ${JSON.stringify(text)}: ${found.stdout}`)),
        );
        look();
      });
    return { child, result, has };
  });
}

/** Runs a program as `size` ranks of this machine. */
export async function runRanks(program: URL, size: number, args: readonly string[]): Promise<ChildResult[]> {
  const ranks = await startRanks(program, size, () => args);
  return Promise.all(ranks.map(({ result }) => result));
}
