import { spawn } from 'node:child_process';
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { mkdirs } from '../../common/mkdirs.js';
import type { OnSetupProgress } from '../../common/setup-progress.js';

/** How to fetch a wheel. */
export interface FetchWheelOptions {
  /** As pip takes it: `torch==2.13.0+cpu`. */
  readonly requirement: string;
  /** An existing, empty folder that may be filled; the wheel ends up in it. */
  readonly workDir: string;
  readonly onProgress: OnSetupProgress;
  readonly env?: NodeJS.ProcessEnv;
  readonly interpreters?: readonly string[];
}

/**
 * Fetches a wheel, and not what it needs, with pip, so that the indexes, mirrors and proxies a machine is configured for apply.
 * @returns the wheel's path.
 * @throws Error saying what every attempt ended with.
 */
export async function fetchWheel(options: FetchWheelOptions): Promise<string> {
  const failures: string[] = [];
  const { requirement } = options;
  for (const python of options.interpreters ?? ['python3', 'python']) {
    options.onProgress({ phase: 'fetch', message: `Fetching ${requirement} with ${python} -m pip` });
    const outcome = await pipDownload(python, options);
    if (typeof outcome === 'object') return outcome.wheel;
    failures.push(`${python} -m pip download ${requirement}: ${outcome}`);
    // Another Python's pip has the same network and the same indexes.
    if (!/not installed|No module named pip/.test(outcome)) break;
  }
  throw new Error(failures.join('\n'));
}

async function pipDownload(
  python: string,
  { requirement, workDir, onProgress, env = process.env }: FetchWheelOptions,
): Promise<{ wheel: string } | string> {
  // pip downloads into its temp folder first; below workDir it can be watched, and is on the cache's own disk.
  const temp = path.join(workDir, 'pip');
  await mkdirs(temp);
  const args = [
    '-m',
    'pip',
    'download',
    '--no-deps',
    '--only-binary',
    ':all:',
    '--no-cache-dir',
    '--retries',
    '2',
  ];
  args.push('--progress-bar', 'off', '--dest', workDir, requirement);
  const watch = watchSize(workDir, requirement, onProgress);
  const { status, stderr } = await run(
    python,
    args,
    { ...env, TMPDIR: temp, TEMP: temp, TMP: temp },
    watch.onLine,
  );
  watch.stop();
  if (status === 0) {
    const wheel = (await readdir(workDir)).find((name) => name.endsWith('.whl'));
    return wheel ? { wheel: path.join(workDir, wheel) } : 'pip reported success but left no wheel';
  }
  if (status === 'ENOENT') return `${python} is not installed`;
  const errors = stderr.split('\n').filter((line) => line.trim() && !line.startsWith('WARNING'));
  return errors.slice(-3).join(' ').trim() || `exit status ${status}`;
}

function run(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  onLine: (line: string) => void,
): Promise<{ status: number | string; stderr: string }> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => String(chunk).split('\n').forEach(onLine));
    child.stderr.on('data', (chunk: Buffer) => (stderr += String(chunk)));
    child.on('error', (error: NodeJS.ErrnoException) =>
      resolve({ status: error.code ?? error.message, stderr }),
    );
    child.on('close', (code, signal) => resolve({ status: code ?? signal ?? 'unknown', stderr }));
  });
}

// pip's own bar is meant for terminals; the growing files say the same in a form that can be logged.
function watchSize(
  folder: string,
  requirement: string,
  onProgress: OnSetupProgress,
): { onLine: (line: string) => void; stop: () => void } {
  let total: number | undefined;
  const message = `Fetching ${requirement}`;
  const timer = setInterval(() => {
    void sizeOf(folder).then((done) => {
      if (done > 0) onProgress({ phase: 'fetch', message, done, ...(total === undefined ? {} : { total }) });
    });
  }, 500);
  return {
    onLine: (line) => {
      const size = /^\s*Downloading .*\(([\d.]+) (kB|MB|GB)\)/.exec(line);
      if (size) total = Number(size[1]) * { kB: 1e3, MB: 1e6, GB: 1e9 }[size[2] as 'kB' | 'MB' | 'GB'];
    },
    stop: () => clearInterval(timer),
  };
}

async function sizeOf(folder: string): Promise<number> {
  try {
    const names = await readdir(folder, { recursive: true });
    const sizes = names.map(async (name) => {
      const found = await stat(path.join(folder, name));
      return found.isFile() ? found.size : 0;
    });
    return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
  } catch {
    return 0; // pip moves files while they are counted
  }
}
