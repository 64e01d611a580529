import { mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { mkdirs } from '../../common/mkdirs.js';
import { AdaptiveTrainerError } from '../../errors.js';
import { cachedLibtorchDir } from './cached-libtorch-dir.js';
import { explainStorage } from './explain-storage.js';
import { fetchPinnedLibtorch } from './fetch-pinned-libtorch.js';
import { inspectLibtorch } from './inspect-libtorch.js';
import { libtorchPin } from './libtorch-pin.js';
import { manifestName } from './manifest.js';
import { verifyRecord } from './verify-record.js';
import { withLock } from '../../common/with-lock.js';
import type { ExtractedFile } from './extract-zip.js';
import type { FetchedLibtorch, LibtorchFetcher } from './fetch-pinned-libtorch.js';
import type { Libtorch } from './libtorch.js';
import type { Manifest } from './manifest.js';
import type { OnSetupProgress } from '../../common/setup-progress.js';

/** What setup may be told. */
export interface SetupOptions {
  readonly onProgress?: OnSetupProgress;
  /** Fetch again even where a sound libtorch is in the cache. */
  readonly force?: boolean;
  readonly env?: NodeJS.ProcessEnv;
  /** In place of pip and the official archive. */
  readonly fetcher?: LibtorchFetcher;
}

/**
 * Makes sure that the pinned libtorch is in this project's cache, fetching it if it is not. Of several processes that
 * do so at once one fetches, and the others wait for it.
 * @throws AdaptiveTrainerError LIBTORCH_NOT_FOUND when nothing could be fetched, LIBTORCH_BROKEN when what came is bad,
 * IO_FAILED when the disk is full or the cache cannot be written to.
 */
export async function setupLibtorch(options: SetupOptions = {}): Promise<Libtorch> {
  const env = options.env ?? process.env;
  const onProgress = options.onProgress ?? (() => {});
  const root = cachedLibtorchDir(env);
  const present = options.force ? undefined : usable(root, env);
  if (present) {
    onProgress({ phase: 'found', message: `libtorch ${present.version} is in ${root}; nothing to fetch.` });
    return present;
  }
  try {
    return await fetchOnce(root, options, onProgress);
  } catch (error) {
    throw explainStorage(error, path.dirname(root));
  }
}

async function fetchOnce(
  root: string,
  options: SetupOptions,
  onProgress: OnSetupProgress,
): Promise<Libtorch> {
  const env = options.env ?? process.env;
  await mkdirs(path.dirname(root));
  const lock = `${root}.lock`;
  const onWait = () =>
    onProgress({ phase: 'wait', message: `Another process is fetching libtorch; waiting (${lock}).` });
  return withLock(lock, { onWait }, async (waited) => {
    // Whoever held the lock has fetched what is wanted here.
    const meanwhile = options.force && !waited ? undefined : usable(root, env);
    if (meanwhile) {
      onProgress({
        phase: 'found',
        message: `libtorch ${meanwhile.version} is in ${root}; nothing to fetch.`,
      });
      return meanwhile;
    }
    await fetchInto(root, options.fetcher ?? fetchPinnedLibtorch, onProgress);
    const inspection = inspectLibtorch(root, 'cache', { env, withHeaders: true });
    if (inspection.kind !== 'usable') {
      throw new AdaptiveTrainerError(
        'LIBTORCH_BROKEN',
        `Expected a usable libtorch in ${root} after fetching it, but it ${inspection.found}.`,
      );
    }
    onProgress({ phase: 'done', message: `libtorch ${inspection.libtorch.version} is in ${root}.` });
    return inspection.libtorch;
  });
}

function usable(root: string, env: NodeJS.ProcessEnv): Libtorch | undefined {
  const inspection = inspectLibtorch(root, 'cache', { env, withHeaders: true });
  return inspection.kind === 'usable' ? inspection.libtorch : undefined;
}

// Everything happens in a folder beside the target, which takes its place by a rename: no half of it is ever seen.
async function fetchInto(root: string, fetcher: LibtorchFetcher, onProgress: OnSetupProgress): Promise<void> {
  await removeLeftovers(root);
  const workDir = await mkdtemp(`${root}.part-`);
  try {
    const fetched = await fetcher(workDir, onProgress);
    const unpacked = path.join(workDir, 'libtorch');
    await unpack(fetched, unpacked, onProgress);
    const old = path.join(workDir, 'old');
    await rename(root, old).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
    await rename(unpacked, root);
  } finally {
    await rm(workDir, { recursive: true, force: true });
  }
}

// Work folders of setups that were killed; with the lock held here, no process uses them.
async function removeLeftovers(root: string): Promise<void> {
  const names = await readdir(path.dirname(root));
  for (const name of names.filter((other) => other.startsWith(`${path.basename(root)}.part-`))) {
    await rm(path.join(path.dirname(root), name), { recursive: true, force: true });
  }
}

async function unpack(fetched: FetchedLibtorch, into: string, onProgress: OnSetupProgress): Promise<void> {
  const prefix = fetched.kind === 'wheel' ? 'torch/' : 'libtorch/';
  const message = `Extracting ${path.basename(fetched.zip)}`;
  const { extractZip } = await import('./extract-zip.js');
  const files = await extractZip({
    zip: fetched.zip,
    into,
    select: (name) => selectEntry(name, prefix),
    onBytes: (done, total) => onProgress({ phase: 'extract', message, done, total }),
  });
  const record = path.join(into, 'RECORD');
  if (fetched.kind === 'wheel') {
    if (!files.delete('RECORD')) {
      throw new AdaptiveTrainerError(
        'LIBTORCH_BROKEN',
        `Expected a RECORD of checksums in ${fetched.source}, but found none, so its files cannot be verified.`,
      );
    }
    await verifyRecord(record, files.values());
  }
  await writeFile(path.join(into, manifestName), manifestText(fetched, files));
  await rm(record, { force: true });
}

// C++ needs lib/, include/ and CMake's files; Python's own half stays out (30 MB of libtorch_python alone).
function selectEntry(name: string, prefix: string): string | undefined {
  if (prefix === 'torch/' && /^torch-[^/]+\.dist-info\/RECORD$/.test(name)) return 'RECORD';
  // Whoever packs the libraries passes the licenses on.
  const license = /^torch-[^/]+\.dist-info\/(licenses\/.+)$/.exec(name)?.[1];
  if (license !== undefined) return license;
  if (!name.startsWith(prefix)) return undefined;
  const inner = name.slice(prefix.length);
  if (!/^(lib|include|share\/cmake)\/|^build-version$/.test(inner)) return undefined;
  return /^lib\/(lib)?(torch_python|shm|jitbackend_test|torchbind_test|backend_with_compiler)\b/.test(inner)
    ? undefined
    : inner;
}

function manifestText(fetched: FetchedLibtorch, files: ReadonlyMap<string, ExtractedFile>): string {
  const libraries = [...files].filter(([name]) => name.startsWith('lib/'));
  const manifest: Manifest = {
    version: `${libtorchPin.version}+cpu`,
    source: fetched.source,
    fetchedAt: new Date().toISOString(),
    files: Object.fromEntries(libraries.map(([name, { size, sha256 }]) => [name, { size, sha256 }])),
  };
  return `${JSON.stringify(manifest, undefined, 2)}\n`;
}
