import { createServer } from 'node:net';
import { runChild, type ChildResult } from '../helpers/run-child.js';

/** A port that is free now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

/** The variables that make a process rank `rank` of `size` on this machine. */
export function rankEnvironment(rank: number, size: number, port: number): NodeJS.ProcessEnv {
  return {
    ...{
      RANK: String(rank),
      WORLD_SIZE: String(size),
      LOCAL_RANK: String(rank),
      LOCAL_WORLD_SIZE: String(size),
    },
    ...{ MASTER_ADDR: '127.0.0.1', MASTER_PORT: String(port), OMP_NUM_THREADS: '1' },
  };
}

/** Runs a program as `size` ranks of this machine; for one, without any variables. */
export async function runRanks(
  program: URL,
  size: number,
  args: readonly string[] | ((rank: number) => readonly string[]),
  env: (rank: number) => NodeJS.ProcessEnv = () => ({}),
): Promise<ChildResult[]> {
  const port = await freePort();
  return Promise.all(
    Array.from({ length: size }, (_, rank) =>
      runChild(program, typeof args === 'function' ? args(rank) : args, {
        ...(size > 1 ? rankEnvironment(rank, size, port) : { OMP_NUM_THREADS: '1' }),
        ...env(rank),
      }),
    ),
  );
}
