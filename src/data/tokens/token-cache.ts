import { createHash } from 'node:crypto';
import { readdir, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheDir } from '../../common/cache-dir.js';
import { packageVersion } from '../../common/package-version.js';
import type { DatasetPlan } from '../../config/datasets/dataset-plan.js';
import { dataFileKind } from '../../common/data-file-kind.js';
import { readBytes } from '../read/read-bytes.js';
import { openTokenFile } from './token-file.js';
import type { TokenRows } from './token-rows.js';

const form = 3; // of what is stored
const unusedDays = 30;
const abandonedHours = 24;

/** Tokenized splits on disk, each in a file named by the hash of all that decides what is in it. */
export class TokenCache {
  private readonly dir: string;

  /**
   * @param settings what decides, besides rows and plan: the tokenizer's fingerprint, and how it is used
   * @param dir default: `tokens` in the cache folder
   */
  constructor(
    private readonly settings: unknown,
    dir?: string,
  ) {
    this.dir = dir ?? join(cacheDir(), 'tokens');
  }

  /** The file for rows of these data files. Reads all of them. */
  async pathOfFiles(plan: DatasetPlan, files: readonly string[]): Promise<string> {
    const hash = createHash('sha256');
    for (const file of files) {
      // The bytes as they are on the disk, whatever they are packed with; the kind decides how they are read.
      const { format, compression, delimiter } = dataFileKind(file)!;
      hash.update(JSON.stringify([format, compression, delimiter]));
      for await (const chunk of readBytes(file, { raw: true })) hash.update(chunk);
    }
    const { contextMode, systemPrompt, columns } = plan;
    return this.path(['files', hash.digest('hex'), contextMode, systemPrompt, columns]);
  }

  /** The file for chats, by their hash. */
  pathOfChats(digest: string): string {
    return this.path(['chats', digest]);
  }

  /** Undefined where there is none, or one that is damaged. */
  async open(path: string): Promise<{ rows: TokenRows; note: unknown } | undefined> {
    const found = await openTokenFile(path);
    const now = new Date();
    if (found !== undefined) await utimes(path, now, now).catch(() => {});
    return found;
  }

  /** Removes what was not used for a month, and what a run that broke off left behind. */
  async prune(): Promise<void> {
    for (const name of await readdir(this.dir).catch(() => [])) {
      const path = join(this.dir, name);
      const hours = name.endsWith('.tokens') ? unusedDays * 24 : abandonedHours;
      const used = await stat(path).then(
        ({ mtimeMs }) => mtimeMs,
        () => Infinity,
      );
      if (Date.now() - used > hours * 3_600_000) await rm(path, { force: true }).catch(() => {});
    }
  }

  private path(of: readonly unknown[]): string {
    const key = createHash('sha256')
      // A new version of this library may render, encode or store otherwise.
      .update(JSON.stringify([packageVersion(), form, this.settings, of]))
      .digest('hex');
    return join(this.dir, `${key.slice(0, 40)}.tokens`);
  }
}
