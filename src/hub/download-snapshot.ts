import type { HubProgress } from './hub-progress.js';
import { HubSnapshot, type OpenSnapshot } from './hub-snapshot.js';

/** What to download. */
export interface DownloadSnapshot extends OpenSnapshot {
  /** Chooses among all paths of the repository. Default: every file. */
  choose?: (paths: readonly string[]) => readonly string[];
  onProgress?: ((progress: HubProgress) => void) | undefined;
}

/**
 * Downloads files of a repository into the cache that Python's huggingface_hub shares, as far as they are not there.
 * @returns the folder of the files
 * @throws AdaptiveTrainerError HUB_FAILED, ABORTED, INVALID_INPUT, IO_FAILED
 */
export async function downloadSnapshot({
  choose = (paths) => paths,
  onProgress,
  ...options
}: DownloadSnapshot): Promise<string> {
  const snapshot = await HubSnapshot.open(options);
  await snapshot.fetch(choose(snapshot.paths), onProgress);
  return snapshot.dir;
}
