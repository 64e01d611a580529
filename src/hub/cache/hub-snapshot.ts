import { readFile, stat, copyFile, rename, symlink } from 'node:fs/promises';
import { join, dirname, relative } from 'node:path';
import pLimit from 'p-limit';
import { mkdirs } from '../../common/mkdirs.js';
import { AdaptiveTrainerError } from '../../errors.js';
import { cacheLayout, type CacheLayout } from './cache-layout.js';
import { CachedListing } from './cached-listing.js';
import { downloadBlob } from './download-blob.js';
import type { HubProgress } from '../../events/hub-progress.js';
import type { HubRepo } from '../client/hub-repo.js';
import type { HubSettings } from '../../common/hub-settings.js';
import { isCommit } from '../client/is-commit.js';
import { isDown, notCached, oddAnswer } from '../client/hub-failures.js';
import { listRepository } from '../client/list-repository.js';
import type { ListedFile } from '../client/listed-file.js';
import { readRange } from './read-range.js';
import { resolveCommit } from '../client/resolve-commit.js';
import { writeTextDurably } from '../../common/write-durably.js';
import { randomUUID } from 'node:crypto';

/** What to open. */
export interface OpenSnapshot {
  settings: HubSettings;
  repo: HubRepo;
  /** Branch, tag or commit. Default `main`. */
  revision?: string | undefined;
  signal?: AbortSignal | undefined;
  /** Told when the cache stands in for a Hub that cannot be reached. */
  onWarning?: ((message: string) => void) | undefined;
}

/** A file that is not in the cache. */
export interface RemoteFile {
  /** Bytes. */
  size: number;
  /** Reads a part of it, which is not kept. @throws AdaptiveTrainerError HUB_FAILED, ABORTED */
  read: (position: number, length: number) => Promise<Buffer>;
}

/** A repository at one commit, in the cache. Its files are there once `fetch` has brought them. */
export class HubSnapshot {
  private constructor(
    private readonly options: OpenSnapshot,
    private readonly layout: CacheLayout,
    readonly revision: string,
    readonly commit: string,
    /** All files of the commit; what is in the cache of them where the Hub cannot be asked. */
    readonly paths: readonly string[],
    /** Undefined where only the cache is used. */
    private readonly files: ReadonlyMap<string, ListedFile> | undefined,
  ) {}

  /** The folder of the files. */
  get dir(): string {
    return this.layout.snapshot(this.commit);
  }

  /** Whether the Hub was asked; false where only the cache is used. */
  get isOnline(): boolean {
    return this.files !== undefined;
  }

  /**
   * Finds out the commit and its files: from the Hub, or from the cache when offline or when the Hub gives no answer.
   * @throws AdaptiveTrainerError HUB_FAILED, ABORTED, INVALID_INPUT
   */
  static async open(options: OpenSnapshot): Promise<HubSnapshot> {
    const { settings, repo, revision = 'main' } = options;
    const layout = cacheLayout(settings.cacheDir, repo);
    layout.ref(revision);
    if (settings.offline) return HubSnapshot.cached(options, layout, revision);
    try {
      return await HubSnapshot.online(options, layout, revision);
    } catch (error) {
      if (!isDown(error)) throw error;
      const cached = await HubSnapshot.cached(options, layout, revision).catch(() => undefined);
      if (cached === undefined) throw error;
      options.onWarning?.(
        `${settings.endpoint} cannot be reached; the copy of "${repo.name}" in the cache is used.`,
      );
      return cached;
    }
  }

  private static async online(options: OpenSnapshot, layout: CacheLayout, revision: string) {
    const { settings, repo, signal } = options;
    const commit = await understood(options, resolveCommit(settings, repo, revision, signal));
    const listing = new CachedListing(layout, commit);
    let files = await listing.read();
    if (files === undefined) {
      files = await understood(options, listRepository(settings, repo, commit, signal));
      await listing.write(files);
    }
    const byPath = new Map(files.map((file) => [file.path, file]));
    return new HubSnapshot(options, layout, revision, commit, [...byPath.keys()], byPath);
  }

  private static async cached(options: OpenSnapshot, layout: CacheLayout, revision: string) {
    const commit = isCommit(revision)
      ? revision
      : (await readFile(layout.ref(revision), 'utf8').catch(() => '')).trim();
    const listing = new CachedListing(layout, commit);
    const present = isCommit(commit) ? await listing.present() : [];
    const kept = isCommit(commit) ? await listing.read() : undefined;
    if (kept === undefined && present.length === 0)
      throw notCached(options.settings, options.repo, revision, layout.root);
    const paths = kept === undefined ? present : kept.map(({ path }) => path);
    return new HubSnapshot(options, layout, revision, commit, paths, undefined);
  }

  /**
   * Brings files into the cache, several at a time. Ends with all of them there, or with the first failure; what came
   * until then is kept.
   * @param isNeeded false for a file that may be missing where only the cache is used: Python fetches some files only when
   * it opens them
   * @throws AdaptiveTrainerError HUB_FAILED, also offline when one is not in the cache; ABORTED, IO_FAILED
   */
  async fetch(
    paths: readonly string[],
    onProgress: (progress: HubProgress) => void = () => {},
    isNeeded: (path: string) => boolean = () => true,
    isAll = true,
  ): Promise<void> {
    if (this.files === undefined) return this.checkPresent(paths.filter(isNeeded));
    const { settings, repo, signal } = this.options;
    const files: ListedFile[] = [];
    for (const path of paths) {
      const file = this.files.get(path)!;
      if (!(await this.isHere(file))) files.push(file);
    }
    const total = files.reduce((sum, { size }) => sum + size, 0);
    const received = new Map<string, number>();
    let [all, filesDone] = [0, 0];
    const onReceived = (path: string, bytes: number) => {
      all += bytes - (received.get(path) ?? 0);
      received.set(path, bytes);
      onProgress({ repo: repo.name, path, received: all, total, filesDone, files: files.length });
    };
    // Two files with the same content are one blob, fetched once.
    const blobs = new Map<string, Promise<string>>();
    await eachInParallel(files, settings.parallelFiles, signal, async (file, stop) => {
      await this.bring(file, () => {
        const blob =
          blobs.get(file.hash) ?? this.download(file, stop, (bytes) => onReceived(file.path, bytes));
        blobs.set(file.hash, blob);
        return blob;
      });
      filesDone++;
      onReceived(file.path, file.size);
    });
    // Last, so that a run without network does not find a commit that is half there in place of a whole one.
    if (isAll && this.revision !== this.commit)
      await writeTextDurably(this.layout.ref(this.revision), this.commit);
  }

  /** The text of a small file; undefined where the repository has none. Does not count as the snapshot being there. */
  async read(path: string): Promise<string | undefined> {
    if (!this.paths.includes(path)) return undefined;
    const file = this.files?.get(path);
    if (file !== undefined) {
      const { signal = new AbortController().signal } = this.options;
      await this.bring(file, () => this.download(file, signal, () => {}));
    }
    return readFile(join(this.dir, ...path.split('/')), 'utf8').catch(() => undefined);
  }

  /** Bytes of a file; undefined where the Hub was not asked. */
  sizeOf(path: string): number | undefined {
    return this.files?.get(path)?.size;
  }

  /** A reader for parts of a file that is only on the Hub; undefined for one that is in the cache. */
  async remoteFile(path: string): Promise<RemoteFile | undefined> {
    const file = this.files?.get(path);
    if (file === undefined || (await this.isHere(file))) return undefined;
    const { settings, repo, signal } = this.options;
    const { commit } = this;
    return {
      size: file.size,
      read: (position, length) => readRange({ settings, repo, commit, file, position, length, signal }),
    };
  }

  private async isHere(file: ListedFile): Promise<boolean> {
    return (await stat(this.nameOf(file)).catch(() => undefined))?.size === file.size;
  }

  /** Whether files are in the cache, every one of them. */
  async has(paths: readonly string[]): Promise<boolean> {
    const present = new Set(await new CachedListing(this.layout, this.commit).present());
    return paths.every((path) => present.has(path));
  }

  private download(
    file: ListedFile,
    signal: AbortSignal,
    onReceived: (bytes: number) => void,
  ): Promise<string> {
    const { settings, repo } = this.options;
    const { blobs } = this.layout;
    return downloadBlob({ settings, repo, commit: this.commit, file, blobs, onReceived, signal });
  }

  private nameOf({ path }: ListedFile): string {
    return join(this.dir, ...path.split('/'));
  }

  private async bring(file: ListedFile, blob: () => Promise<string>): Promise<void> {
    const { settings, repo } = this.options;
    try {
      await linkFile(await blob(), this.nameOf(file));
    } catch (cause) {
      if (AdaptiveTrainerError.isInstance(cause)) throw cause;
      throw new AdaptiveTrainerError(
        'IO_FAILED',
        `Could not write ${file.path} of "${repo.name}" to the cache ${settings.cacheDir}: ${(cause as Error).message}. ` +
          'Check the space there, or set HF_HUB_CACHE to another folder.',
        { details: { path: this.nameOf(file) }, cause },
      );
    }
  }

  private async checkPresent(paths: readonly string[]): Promise<void> {
    const present = await new CachedListing(this.layout, this.commit).present();
    const missing = paths.filter((path) => !present.includes(path));
    const { settings, repo } = this.options;
    if (missing.length > 0) throw notCached(settings, repo, this.revision, this.layout.root, missing);
  }
}

/** What @huggingface/hub throws for an answer that it cannot read, such as the page of a proxy, is an error of the Hub. */
async function understood<T>({ settings, repo }: OpenSnapshot, asked: Promise<T>): Promise<T> {
  try {
    return await asked;
  } catch (error) {
    if (AdaptiveTrainerError.isInstance(error)) throw error;
    throw oddAnswer(settings, repo, 'an answer in the JSON of the Hub', (error as Error).message);
  }
}

/** Calls `work` with every item. The first failure stops the others by way of their signal, and is thrown once all have ended. */
async function eachInParallel<T>(
  items: readonly T[],
  atOnce: number,
  signal: AbortSignal | undefined,
  work: (item: T, stop: AbortSignal) => Promise<void>,
): Promise<void> {
  const failed = new AbortController();
  const stop = AbortSignal.any([failed.signal, ...(signal === undefined ? [] : [signal])]);
  const limit = pLimit(atOnce);
  const attempt = async (item: T) => {
    if (failed.signal.aborted) return;
    await work(item, stop).catch((error: unknown) => failed.abort(error));
  };
  await Promise.all(items.map((item) => limit(attempt, item)));
  failed.signal.throwIfAborted();
}

/** Gives a blob its name in a snapshot: a relative link, or a copy where links are not allowed. */
async function linkFile(blob: string, name: string): Promise<void> {
  await mkdirs(dirname(name));
  const temporary = `${name}.${randomUUID().slice(0, 8)}.tmp`;
  try {
    await symlink(relative(dirname(name), blob), temporary);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EPERM' && code !== 'ENOSYS' && code !== 'ENOTSUP') throw error;
    await copyFile(blob, temporary);
  }
  await rename(temporary, name);
}
