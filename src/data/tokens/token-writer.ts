import { createHash } from 'node:crypto';
import { openSync, rmSync } from 'node:fs';
import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { mkdirs } from '../../common/mkdirs.js';
import { AdaptiveTrainerError } from '../../errors.js';
import { GrowingUint32 } from './growing-uint32.js';
import { bytesOf, tokenFileIndex } from './token-file.js';
import { TokenRows } from './token-rows.js';
import type { TokenizedRows } from './chat-tokenizer.js';

const inMemory = 1 << 25; // bytes of tokens beyond which they go to a file, cache or not

/** Collects tokenized rows: in memory while they are few, else in a file; and in the cache's file where there is one. */
export class TokenWriter {
  private readonly lengths = new GrowingUint32();
  private readonly trained = new GrowingUint32();
  private readonly hash = createHash('sha256');
  private kept: Uint32Array[] = [];
  private words = 0;
  private file: { handle: FileHandle; path: string } | undefined;

  /** @param cached where the file belongs when it is whole; undefined: nowhere, and a file lives as long as its rows */
  constructor(private readonly cached: string | undefined) {}

  async append({ words, lengths, trained }: TokenizedRows): Promise<void> {
    this.lengths.append(lengths);
    this.trained.append(trained);
    this.words += words.length;
    this.kept.push(words);
    const waits = this.words * 4 <= inMemory;
    if (this.file === undefined && waits) return;
    await this.flush();
  }

  /**
   * The rows. A cache that cannot be written to is no reason to fail.
   * @param note stored beside them
   */
  async finish(note: unknown): Promise<TokenRows> {
    const [lengths, trained] = [this.lengths.take(), this.trained.take()];
    const memory = this.file === undefined ? join32(this.kept, this.words) : undefined;
    // Of the tokens alone, which are hashed as they are written; what follows them in a file is no part of the rows.
    let digest = memory && createHash('sha256').update(memory).digest('hex');
    if (this.cached !== undefined || this.file !== undefined) {
      try {
        await this.flush();
        digest ??= this.hash.copy().digest('hex');
        await this.seal(tokenFileIndex(lengths, trained, this.words, note));
      } catch (cause) {
        await this.discard();
        if (memory === undefined) throw failed(cause);
      }
    }
    if (memory !== undefined) {
      if (this.file?.path === this.cached) await this.file?.handle.close();
      else await this.discard(); // no later run would find it there
      return new TokenRows(lengths, trained, { memory }, digest!);
    }
    const { path, handle } = this.file!;
    const file = openSync(path, 'r');
    await handle.close();
    if (path !== this.cached) removeUnused(path);
    return new TokenRows(lengths, trained, { file, path }, digest!);
  }

  /** Gives up: removes what was written. */
  async discard(): Promise<void> {
    const { file } = this;
    this.file = undefined;
    if (file === undefined) return;
    await file.handle.close().catch(() => {});
    await rm(file.path, { force: true }).catch(() => {});
  }

  private async flush(): Promise<void> {
    try {
      this.file ??= await this.openFile();
      for (const words of this.kept) {
        const bytes = bytesOf(words);
        this.hash.update(bytes);
        await this.file.handle.writeFile(bytes);
      }
      this.kept = [];
    } catch (cause) {
      await this.discard();
      throw failed(cause);
    }
  }

  private async openFile(): Promise<{ handle: FileHandle; path: string }> {
    const name = `${process.pid}-${Math.random().toString(36).slice(2)}.tmp`;
    if (this.cached !== undefined) {
      try {
        await mkdirs(dirname(this.cached));
        const path = `${this.cached}.${name}`;
        return { handle: await open(path, 'wx'), path };
      } catch {
        // Perhaps a home that is read-only: then the folder for temporary files, without a cache.
      }
    }
    const path = join(tmpdir(), `adaptive-trainer-tokens-${name}`);
    return { handle: await open(path, 'wx'), path };
  }

  /** Ends the file, and puts it in its place in one step, so that no reader finds a part of it. */
  private async seal(index: readonly Buffer[]): Promise<void> {
    const { handle, path } = this.file!;
    for (const part of index) {
      this.hash.update(part);
      await handle.writeFile(part);
    }
    await handle.writeFile(this.hash.digest());
    if (this.cached === undefined || !path.startsWith(this.cached)) return;
    await handle.sync();
    await rename(path, this.cached);
    this.file = { handle, path: this.cached };
  }
}

function join32(parts: readonly Uint32Array[], length: number): Uint32Array {
  const joined = new Uint32Array(length);
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** An open file needs no name. Where the system insists on one (Windows), it goes when the process ends. */
function removeUnused(path: string): void {
  try {
    rmSync(path);
  } catch {
    process.once('exit', () => rmSync(path, { force: true }));
  }
}

function failed(cause: unknown): AdaptiveTrainerError {
  return new AdaptiveTrainerError(
    'IO_FAILED',
    `Could not write tokens to the disk: ${String(cause)}. Free some space there, or set ADAPTIVE_TRAINER_CACHE to a folder with more.`,
    { cause },
  );
}
