import { spawnSync } from 'node:child_process';
import { windowsPath } from './windows-path.js';

/** How a script in a child process ended. */
export type Trial =
  | { readonly ok: true; readonly stdout: string }
  | {
      readonly ok: false;
      readonly stderr: string;
      readonly status: number | null;
      readonly signal: NodeJS.Signals | null;
      readonly timedOut: boolean;
    };

/**
 * Runs a script (CommonJS) in a child process of Node, where a crash costs the child and not the program.
 * @param argument JSON of it is `process.argv[1]` there
 * @param libDir where libtorch's libraries are
 */
export function tryScript(script: string, argument: unknown, libDir: string, timeoutMs = 120_000): Trial {
  // NODE_OPTIONS may preload a debugger or a loader that has no business in the child.
  const env: NodeJS.ProcessEnv = { ...process.env, ...windowsPath(libDir) };
  delete env['NODE_OPTIONS'];
  const run = spawnSync(process.execPath, ['-e', script, JSON.stringify(argument)], {
    encoding: 'utf8',
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  });
  if (run.status === 0) return { ok: true, stdout: run.stdout };
  const timedOut = (run.error as NodeJS.ErrnoException | undefined)?.code === 'ETIMEDOUT';
  const stderr = run.error && !timedOut ? `${run.error.message}\n${run.stderr ?? ''}` : (run.stderr ?? '');
  return { ok: false, stderr: stderr.trim(), status: run.status, signal: run.signal, timedOut };
}

/** What matters of a child's stderr, which is a stack trace around one line. */
export function tellingLine(stderr: string): string {
  const lines = stderr.split('\n').map((line) => line.trim());
  const error = lines.find((line) => /^\w*Error: /.test(line));
  return error ?? lines.slice(0, 5).join(' ');
}
