import { hubRequest } from '../client/hub-request.js';
import { repoPage, type HubRepo } from '../client/hub-repo.js';
import { NetworkTrouble, withRetries } from '../client/with-retries.js';
import type { HubSettings } from '../../common/hub-settings.js';
import type { ListedFile } from '../client/listed-file.js';

/** A part of a file on the Hub. */
export interface FileRange {
  settings: HubSettings;
  repo: HubRepo;
  commit: string;
  file: ListedFile;
  /** First byte. */
  position: number;
  /** Bytes; position + length is at most the file's size. */
  length: number;
  signal?: AbortSignal | undefined;
}

/**
 * Reads a part of a file without keeping it. Nothing is compared with the file's hash, so this serves to look at a file
 * before it is downloaded. From a server that knows no ranges, what comes before the part is read too, and no more.
 * @throws AdaptiveTrainerError HUB_FAILED, ABORTED
 */
export async function readRange(range: FileRange): Promise<Buffer> {
  const { settings, repo, commit, file, position, length, signal } = range;
  if (length === 0) return Buffer.alloc(0);
  const name = file.path.split('/').map(encodeURIComponent).join('/');
  const url = `${repoPage(settings, repo)}/resolve/${commit}/${name}`;
  return withRetries({ settings, repo, url, signal }, async () => {
    const limit = AbortSignal.timeout(settings.timeoutMs);
    const response = await hubRequest(settings, url, {
      headers: { 'accept-encoding': 'identity', range: `bytes=${position}-${position + length - 1}` },
      signal: AbortSignal.any([limit, ...(signal === undefined ? [] : [signal])]),
    });
    const skipped = response.status === 206 ? 0 : position;
    const bytes = await firstBytes(response, skipped + length);
    if (bytes.length < skipped + length)
      throw new NetworkTrouble(`${bytes.length} of ${skipped + length} bytes of ${file.path} came`);
    return bytes.subarray(skipped);
  });
}

/** At most so many; the rest is not waited for. */
async function firstBytes(response: Response, length: number): Promise<Buffer> {
  const reader = (response.body ?? new Blob([]).stream()).getReader();
  const parts: Uint8Array[] = [];
  let there = 0;
  try {
    while (there < length) {
      const { done, value } = (await reader.read()) as { done: boolean; value?: Uint8Array };
      if (done || value === undefined) break;
      parts.push(value);
      there += value.length;
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
  return Buffer.concat(parts).subarray(0, length);
}
