import { spawnSync } from 'node:child_process';
import { windowsPath } from './windows-path.js';
import type { AddonLoad } from './plan-addon-load.js';

/** How loading the addon in a child process ended. */
export type AddonTrial =
  | { readonly ok: true }
  | {
      readonly ok: false;
      readonly stderr: string;
      readonly status: number | null;
      readonly signal: NodeJS.Signals | null;
      readonly timedOut: boolean;
    };

// Runs in the child. RTLD_NOW, so that a symbol missing from libtorch shows here and not in the middle of training.
const script = `
const [addon, helper, ...libraries] = JSON.parse(process.argv[1]);
const open = (file) => {
  const module = { exports: {} };
  process.dlopen(module, file, require('node:os').constants.dlopen.RTLD_NOW);
  return module.exports;
};
if (helper) open(helper).preload(libraries);
open(addon);
`;

/**
 * Loads the addon in a child process: an instruction the CPU lacks, or a library that crashes while loading, then
 * costs the child and not the program.
 */
export function tryAddon(load: AddonLoad, timeoutMs = 120_000): AddonTrial {
  const { addon, preload } = load;
  const argument = JSON.stringify([addon, preload?.helper ?? '', ...(preload?.libraries ?? [])]);
  // NODE_OPTIONS may preload a debugger or a loader that has no business in the child.
  const env: NodeJS.ProcessEnv = { ...process.env, ...windowsPath(load.libDir) };
  delete env['NODE_OPTIONS'];
  const run = spawnSync(process.execPath, ['-e', script, argument], {
    encoding: 'utf8',
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  });
  if (run.status === 0) return { ok: true };
  const timedOut = (run.error as NodeJS.ErrnoException | undefined)?.code === 'ETIMEDOUT';
  const stderr = run.error && !timedOut ? `${run.error.message}\n${run.stderr ?? ''}` : (run.stderr ?? '');
  return { ok: false, stderr: stderr.trim(), status: run.status, signal: run.signal, timedOut };
}
