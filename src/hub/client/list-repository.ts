import type { ListFileEntry } from '@huggingface/hub';
import { hubFetch } from './hub-fetch.js';
import type { HubRepo } from './hub-repo.js';
import type { HubSettings } from '../../common/hub-settings.js';
import { isSafePath } from './is-safe-path.js';
import type { ListedFile } from './listed-file.js';
import { oddAnswer } from './hub-failures.js';

const sha1 = /^[0-9a-f]{40}$/;

/**
 * Asks the Hub for all files of a commit.
 * @throws AdaptiveTrainerError HUB_FAILED, also when a name would leave the folder that the files are put in
 */
export async function listRepository(
  settings: HubSettings,
  repo: HubRepo,
  commit: string,
  signal?: AbortSignal,
): Promise<ListedFile[]> {
  const { listFiles } = await import('@huggingface/hub');
  const files: ListedFile[] = [];
  for await (const entry of listFiles({
    repo: { type: repo.type, name: repo.name },
    revision: commit,
    recursive: true,
    hubUrl: settings.endpoint,
    fetch: hubFetch(settings, repo, signal),
  })) {
    if (entry.type === 'file') files.push(checked(settings, repo, entry));
  }
  return files;
}

// All of this becomes paths and sizes on this machine, so all of it is checked.
function checked(settings: HubSettings, repo: HubRepo, entry: ListFileEntry): ListedFile {
  const { path, oid, lfs, xetHash } = entry;
  if (typeof path !== 'string' || !isSafePath(path)) {
    throw oddAnswer(settings, repo, 'file names that stay inside the folder they are put in', path);
  }
  const size = lfs?.size ?? entry.size;
  const hash = lfs?.oid ?? oid;
  if (!Number.isSafeInteger(size) || size < 0) throw oddAnswer(settings, repo, `the size of ${path}`, size);
  if (typeof hash !== 'string' || !(lfs === undefined ? sha1 : /^[0-9a-f]{64}$/).test(hash)) {
    throw oddAnswer(settings, repo, `the hash of ${path}`, hash);
  }
  const isXet = typeof xetHash === 'string' && /^[0-9a-f]{64}$/.test(xetHash);
  return { path, size, hash, oid: String(oid), xetHash: isXet ? xetHash : undefined };
}
