import type { HubProgress } from '../../events/hub-progress.js';
import type { HubRepo } from '../client/hub-repo.js';
import { hubSettings, type HubSettings } from '../../common/hub-settings.js';
import { HubSnapshot } from './hub-snapshot.js';
import { matchesPattern } from './matches-pattern.js';

/** What to download. */
export interface DownloadSnapshotOptions {
  repo: HubRepo;
  /** Branch, tag or commit. Default `main`. */
  revision?: string | undefined;
  /** Only files that match one of these: `*.json`, `data/**`, a name. Default: all. */
  allowPatterns?: readonly string[] | undefined;
  /** No files that match one of these. Default: none. */
  ignorePatterns?: readonly string[] | undefined;
  /** Default: those of the environment. */
  settings?: HubSettings | undefined;
  onProgress?: ((progress: HubProgress) => void) | undefined;
  onWarning?: ((message: string) => void) | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Downloads files of a repository into the cache that Python's huggingface_hub shares, as far as they are not there.
 * @returns the folder of the files
 * @throws AdaptiveTrainerError HUB_FAILED, ABORTED, INVALID_INPUT, IO_FAILED
 *
 * @example
 * const dir = await downloadSnapshot({ repo: { type: 'model', name: 'Qwen/Qwen3-0.6B' }, allowPatterns: ['*.json'] });
 */
export async function downloadSnapshot({
  allowPatterns,
  ignorePatterns = [],
  onProgress,
  settings = hubSettings(),
  ...options
}: DownloadSnapshotOptions): Promise<string> {
  const snapshot = await HubSnapshot.open({ ...options, settings });
  const matches = (patterns: readonly string[], path: string) =>
    patterns.some((pattern) => pattern === path || matchesPattern(pattern, path));
  const chosen = snapshot.paths.filter(
    (path) => (allowPatterns === undefined || matches(allowPatterns, path)) && !matches(ignorePatterns, path),
  );
  await snapshot.fetch(chosen, onProgress);
  return snapshot.dir;
}
