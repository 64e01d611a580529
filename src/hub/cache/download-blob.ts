import { createHash, type Hash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { mkdirs } from '../../common/mkdirs.js';
import { withLock } from '../../common/with-lock.js';
import { repoPage, type HubRepo } from '../client/hub-repo.js';
import { hubRequest } from '../client/hub-request.js';
import { HubRefusal } from '../client/hub-refusal.js';
import { wrongHash } from '../client/hub-failures.js';
import type { HubSettings } from '../../common/hub-settings.js';
import type { ListedFile } from '../client/listed-file.js';
import { NetworkTrouble } from '../client/with-retries.js';
import { withRetries } from '../client/with-retries.js';

/** One content to fetch. */
export interface BlobDownload {
  settings: HubSettings;
  repo: HubRepo;
  commit: string;
  file: ListedFile;
  /** Folder of the blobs. */
  blobs: string;
  /** Told how much of the file is there. */
  onReceived: (bytes: number) => void;
  signal?: AbortSignal | undefined;
}

const progressBytes = 1 << 20; // an attempt that brought this much more counts as none that failed

/**
 * Fetches a content into the cache unless it is there. A broken transfer goes on where it broke, within this call and in
 * a later one; the result is checked against its hash before it gets its name.
 * @returns the path of the blob
 * @throws AdaptiveTrainerError HUB_FAILED, ABORTED
 */
export async function downloadBlob(download: BlobDownload): Promise<string> {
  const { blobs, file } = download;
  const blob = join(blobs, file.hash);
  const partial = `${blob}.incomplete`;
  await mkdirs(blobs);
  if ((await sizeOf(blob)) !== file.size) {
    await withLock(`${partial}.lock`, {}, async () => {
      // Another process may have brought it while this one waited.
      if ((await sizeOf(blob)) === file.size) return;
      await fetchWhole(download, partial);
      await rename(partial, blob);
    });
  }
  download.onReceived(file.size);
  return blob;
}

async function fetchWhole(download: BlobDownload, partial: string): Promise<void> {
  const { settings, repo, commit, file, signal } = download;
  const name = file.path.split('/').map(encodeURIComponent).join('/');
  const url = `${repoPage(settings, repo)}/resolve/${commit}/${name}`;
  let before = (await sizeOf(partial)) ?? 0;
  let damaged = 0;
  const progressed = () => {
    const far = received >= before + progressBytes;
    before = received;
    return far;
  };
  let received = before;
  const onReceived = (bytes: number) => {
    received = bytes;
    download.onReceived(bytes);
  };
  await withRetries({ settings, repo, url, signal, progressed }, async () => {
    const found = await fetchRest({ ...download, onReceived }, url, partial);
    if (found === file.hash) return;
    await rm(partial, { force: true });
    // Once may be a broken transfer or a bad partial file; twice the same is no accident.
    if (++damaged > 1) throw wrongHash(settings, repo, file, found);
    throw new NetworkTrouble(`the content of ${file.path} did not match its hash`);
  });
}

/** Fetches what is missing of a partial file. Returns the hash of the whole. */
async function fetchRest(download: BlobDownload, url: string, partial: string): Promise<string> {
  const { settings, file, signal, onReceived } = download;
  let offset = (await sizeOf(partial)) ?? 0;
  if (offset > file.size) {
    await rm(partial);
    offset = 0;
  }
  if (offset < file.size || file.size === 0) {
    const silence = silenceAlarm(settings.timeoutMs, signal);
    try {
      const response = await request(settings, url, offset, silence.signal, partial);
      if (response.status !== 206) offset = 0; // the whole file came although only the rest was asked for
      await receive({ response, partial, offset, file, silence, onReceived });
    } finally {
      silence.off();
    }
  }
  const size = await sizeOf(partial);
  if (size !== file.size) throw new NetworkTrouble(`${size} of ${file.size} bytes of ${file.path} came`);
  return hashOf(partial, file);
}

async function request(
  settings: HubSettings,
  url: string,
  offset: number,
  signal: AbortSignal,
  partial: string,
): Promise<Response> {
  const range: Record<string, string> = offset > 0 ? { range: `bytes=${offset}-` } : {};
  try {
    // Compressed, the length of the answer would not be that of the file.
    return await hubRequest(settings, url, { headers: { 'accept-encoding': 'identity', ...range }, signal });
  } catch (error) {
    if (!(error instanceof HubRefusal) || error.status !== 416) throw error;
    await rm(partial, { force: true });
    throw new NetworkTrouble(`the server has no bytes after ${offset} of ${url}`);
  }
}

async function receive(transfer: {
  response: Response;
  partial: string;
  offset: number;
  file: ListedFile;
  silence: { heard: () => void };
  onReceived: (bytes: number) => void;
}): Promise<void> {
  const { response, partial, offset, file, silence, onReceived } = transfer;
  let there = offset;
  const meter = new Transform({
    transform(chunk: Buffer, _encoding, next) {
      silence.heard();
      there += chunk.length;
      if (there > file.size)
        return next(new NetworkTrouble(`more than the ${file.size} bytes of ${file.path} came`));
      onReceived(there);
      next(null, chunk);
    },
  });
  const body = Readable.fromWeb(
    (response.body ?? new Blob([]).stream()) as Parameters<typeof Readable.fromWeb>[0],
  );
  await pipeline(body, meter, createWriteStream(partial, { flags: offset > 0 ? 'a' : 'w' }));
}

/** A signal that aborts when nothing is heard for a while. */
function silenceAlarm(ms: number, signal: AbortSignal | undefined) {
  const controller = new AbortController();
  const ring = () => controller.abort(new DOMException(`nothing came for ${ms / 1000} s`, 'TimeoutError'));
  const timer = setTimeout(ring, ms);
  const signals = [controller.signal, ...(signal === undefined ? [] : [signal])];
  return {
    signal: AbortSignal.any(signals),
    heard: () => void timer.refresh(),
    off: () => clearTimeout(timer),
  };
}

async function hashOf(path: string, { hash, size }: ListedFile): Promise<string> {
  const digest: Hash = createHash(hash.length === 64 ? 'sha256' : 'sha1');
  if (hash.length === 40) digest.update(`blob ${size}\0`); // git hashes a file with this in front
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 }))
    digest.update(chunk as Buffer);
  return digest.digest('hex');
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
