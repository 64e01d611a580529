import { createHash } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { mkdirsSync } from '../../common/mkdirs.js';
import { cacheDir } from '../../common/cache-dir.js';
import { libraryNames } from '../libtorch/library-names.js';
import type { AddonLoad } from './plan-addon-load.js';

/**
 * Remembers that an addon has loaded in a child process, so that only the first start after a change pays for the
 * trial. Keyed by the exact files: a rebuilt addon or another libtorch is tried again.
 */
export class AddonTrialCache {
  readonly #file: string;
  readonly #fingerprint: string;

  constructor(load: AddonLoad, env: NodeJS.ProcessEnv = process.env) {
    const name = createHash('sha256').update(load.addon).digest('hex').slice(0, 16);
    this.#file = path.join(cacheDir(env), 'loaded', `${name}.json`);
    const libraries = libraryNames().map((library) => path.join(load.libDir, library));
    const stamps = [load.addon, ...libraries].map(stamp);
    this.#fingerprint = JSON.stringify([
      process.version,
      process.arch,
      load.preload !== undefined,
      ...stamps,
    ]);
  }

  get known(): boolean {
    try {
      return readFileSync(this.#file, 'utf8') === this.#fingerprint;
    } catch {
      return false;
    }
  }

  remember(): void {
    try {
      mkdirsSync(path.dirname(this.#file));
      writeFileSync(this.#file, this.#fingerprint);
    } catch {
      // A read-only home costs a trial per start, nothing more.
    }
  }
}

function stamp(file: string): string {
  const stat = statSync(file, { throwIfNoEntry: false });
  return `${file}:${stat?.size ?? 'absent'}:${stat?.mtimeMs ?? ''}`;
}
