import { spawnSync } from 'node:child_process';
import { copyFileSync, statSync, utimesSync } from 'node:fs';

/** Copies a library without symbols for debuggers, and with the time of the original. */
export function stripped(from, to) {
  copyFileSync(from, to);
  if (process.platform !== 'win32') {
    const args = process.platform === 'darwin' ? ['-x', to] : ['--strip-unneeded', to];
    const { status, error, stderr } = spawnSync('strip', args, { encoding: 'utf8' });
    if (status !== 0) throw new Error(`strip failed for ${from}: ${error?.message ?? stderr}`);
  }
  const { mtime } = statSync(from);
  utimesSync(to, mtime, mtime);
}
