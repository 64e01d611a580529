import { createHash } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { mkdirsSync } from '../../common/mkdirs.js';
import { cacheDir } from '../../common/cache-dir.js';

/** Remembers that something was tried in a child process and worked, so that only the first start after a change pays for it. */
export class TrialCache {
  readonly #file: string;
  readonly #fingerprint: string;

  /**
   * @param kind the folder of such trials in the cache
   * @param subject what is tried; each has one place
   * @param facts what the result depends on: others than those remembered are tried again
   */
  constructor(
    kind: string,
    subject: string,
    facts: readonly unknown[],
    env: NodeJS.ProcessEnv = process.env,
  ) {
    const name = createHash('sha256').update(subject).digest('hex').slice(0, 16);
    this.#file = path.join(cacheDir(env), kind, `${name}.json`);
    this.#fingerprint = JSON.stringify(facts);
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

/** A file as it is now. */
export function stamp(file: string): string {
  const stat = statSync(file, { throwIfNoEntry: false });
  return `${file}:${stat?.size ?? 'absent'}:${stat?.mtimeMs ?? ''}`;
}
