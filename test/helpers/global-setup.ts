import { existsSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildPage } from '../../scripts/build-page.mjs';
import { cacheDir } from '../../src/common/cache-dir.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

/**
 * Gives all tests of a run, and the processes they start, one folder for temporary files, which goes when the run ends, also
 * with what tests and killed processes left in it, and a cache folder there: the user's has no part in them, but for what was
 * set up in it to compute with. Makes the template of the report, from the sources as they are. Fails the run when a test wrote a file into the folder of the package.
 */
export default async function setup(): Promise<() => void> {
  await buildPage();
  const temporary = ['TMPDIR', 'TMP', 'TEMP'];
  const names = [...temporary, 'ADAPTIVE_TRAINER_CACHE'];
  const before = names.map((name) => [name, process.env[name]] as const);
  const folder = realpathSync(mkdtempSync(path.join(os.tmpdir(), 'adaptive-trainer-tests-')));
  const cache = cacheWithin(folder);
  for (const name of temporary) process.env[name] = folder;
  process.env['ADAPTIVE_TRAINER_CACHE'] = cache;
  const there = new Set(filesOf(root));
  return () => {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
    rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
    const stray = filesOf(root).filter((name) => !there.has(name));
    if (stray.length === 0) return;
    // An error thrown here would be printed, but the run would pass.
    console.error(
      `Expected tests to write to temporary folders alone, found in ${root}: ${stray.join(', ')}`,
    );
    process.exitCode = 1;
  };
}

/** A cache folder with the libtorch and the addons of the user's. */
function cacheWithin(folder: string): string {
  const cache = path.join(folder, 'cache');
  mkdirSync(cache);
  for (const name of ['libtorch', 'addon']) {
    const target = path.join(cacheDir(), name);
    if (existsSync(target)) symlinkSync(target, path.join(cache, name), 'junction');
  }
  return cache;
}

function filesOf(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => name);
}
