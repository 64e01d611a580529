import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { OnSetupProgress } from '../../common/setup-progress.js';
import { cachedLibtorchDir } from './cached-libtorch-dir.js';
import type { ExtractedFile } from './extract-zip.js';
import { fetchPinnedLibtorch, type FetchedLibtorch, type LibtorchFetcher } from './fetch-pinned-libtorch.js';
import { inspectLibtorch } from './inspect-libtorch.js';
import { installIntoCache } from './install-into-cache.js';
import type { Libtorch } from './libtorch.js';
import { libtorchPin } from './libtorch-pin.js';
import { manifestName, manifestText } from './manifest.js';
import { selectOfTorch } from './select-of-torch.js';
import { unpackWheel } from './unpack-wheel.js';

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
 * Makes sure that the pinned libtorch for the CPU is in this project's cache, fetching it if it is not. Of several processes that
 * do so at once one fetches, and the others wait for it.
 * @throws AdaptiveTrainerError LIBTORCH_NOT_FOUND when nothing could be fetched, LIBTORCH_BROKEN when what came is bad,
 * IO_FAILED when the disk is full or the cache cannot be written to.
 */
export async function setupLibtorch(options: SetupOptions = {}): Promise<Libtorch> {
  const { env = process.env, force = false, onProgress = () => {} } = options;
  const folder = cachedLibtorchDir(env);
  return installIntoCache({
    ...{ folder, force, onProgress },
    inspect: () => inspectLibtorch(folder, 'cache', { env, withHeaders: true }),
    need: 'about 1 GB while it is fetched',
    fill: async (into, workDir) => {
      const fetched = await (options.fetcher ?? fetchPinnedLibtorch)(workDir, onProgress);
      const files =
        fetched.kind === 'wheel'
          ? await unpackTorch(fetched, into, onProgress)
          : await unpackArchive(fetched, into, onProgress);
      const text = manifestText(`${libtorchPin.version}+cpu`, fetched.source, files);
      await writeFile(path.join(into, manifestName), text);
    },
  });
}

function unpackTorch({ zip }: FetchedLibtorch, into: string, onProgress: OnSetupProgress) {
  const again = 'Nothing was kept. Run `npx adaptive-trainer setup --force`.';
  return unpackWheel({ zip, into, select: selectOfWheel, again, onProgress });
}

async function unpackArchive(
  { zip }: FetchedLibtorch,
  into: string,
  onProgress: OnSetupProgress,
): Promise<Map<string, ExtractedFile>> {
  const message = `Extracting ${path.basename(zip)}`;
  const { extractZip } = await import('./extract-zip.js');
  return extractZip({
    ...{ zip, into },
    select: (name) => selectOfTorch(name, 'libtorch/'),
    onBytes: (done, total) => onProgress({ phase: 'extract', message, done, total }),
  });
}

// Whoever packs the libraries passes the licenses on.
function selectOfWheel(name: string): string | undefined {
  return /^torch-[^/]+\.dist-info\/(licenses\/.+)$/.exec(name)?.[1] ?? selectOfTorch(name, 'torch/');
}
