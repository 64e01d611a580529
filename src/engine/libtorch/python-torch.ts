import { spawnSync } from 'node:child_process';

/** The answer of this machine's Pythons to "where is your torch?". */
export interface PythonTorch {
  /** The folder of the torch package, if a Python has one. */
  readonly root?: string;
  /** What each interpreter said, for error messages. */
  readonly tried: readonly string[];
}

// find_spec locates the package without importing it: importing torch takes seconds.
const script =
  'import importlib.util as u; s = u.find_spec("torch"); print(s.submodule_search_locations[0] if s else "")';

/** Asks the active Python (`python3`, then `python`) where its torch lies. */
export function pythonTorch(interpreters: readonly string[] = ['python3', 'python']): PythonTorch {
  const tried: string[] = [];
  for (const interpreter of interpreters) {
    const run = spawnSync(interpreter, ['-c', script], {
      encoding: 'utf8',
      timeout: 20_000,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    if (run.error !== undefined) {
      const missing = (run.error as NodeJS.ErrnoException).code === 'ENOENT';
      tried.push(`${interpreter}: ${missing ? 'not installed' : run.error.message}`);
    } else if (run.status !== 0) {
      tried.push(`${interpreter}: ${lastLine(run.stderr) ?? `exit status ${run.status ?? run.signal}`}`);
    } else {
      const root = run.stdout.trim();
      if (root) return { root, tried: [...tried, `${interpreter}: ${root}`] };
      tried.push(`${interpreter}: has no torch`);
    }
  }
  return { tried };
}

function lastLine(text: string): string | undefined {
  return text.trim().split('\n').at(-1) || undefined;
}
