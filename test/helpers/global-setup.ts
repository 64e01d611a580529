import { mkdtempSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

/**
 * Gives all tests of a run, and the processes they start, one folder for temporary files, which goes when the run ends, also
 * with what tests and killed processes left in it. Fails the run when a test wrote a file into the folder of the package.
 */
export default function setup(): () => void {
  const names = ['TMPDIR', 'TMP', 'TEMP'];
  const before = names.map((name) => [name, process.env[name]] as const);
  const folder = realpathSync(mkdtempSync(path.join(os.tmpdir(), 'adaptive-trainer-tests-')));
  for (const name of names) process.env[name] = folder;
  const there = new Set(filesOf(root));
  return () => {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
    const stray = filesOf(root).filter((name) => !there.has(name));
    if (stray.length === 0) return;
    // An error thrown here would be printed, but the run would pass.
    console.error(
      `Expected tests to write to temporary folders alone, found in ${root}: ${stray.join(', ')}`,
    );
    process.exitCode = 1;
  };
}

function filesOf(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => name);
}
