import { createWriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { OnSetupProgress } from '../../common/setup-progress.js';

/** How to fetch the official libtorch archive. */
export interface FetchArchiveOptions {
  readonly version: string;
  readonly workDir: string;
  readonly onProgress: OnSetupProgress;
  /** Where the archives lie; a mirror or a test server instead of the official one. */
  readonly baseUrl?: string;
  readonly fetch?: typeof fetch;
}

const officialUrl = 'https://download.pytorch.org/libtorch/cpu';

/**
 * Fetches the official libtorch archive for this platform.
 * @returns the archive's path and address.
 * @throws Error when the platform has none, the server refuses, or fewer bytes arrive than announced.
 */
export async function fetchArchive(options: FetchArchiveOptions): Promise<{ zip: string; url: string }> {
  const url = `${(options.baseUrl ?? officialUrl).replace(/\/$/, '')}/${encodeURIComponent(archiveName(options.version))}`;
  const message = `Fetching ${url}`;
  options.onProgress({ phase: 'fetch', message });
  const response = await request(url, options.fetch ?? fetch);
  const total = Number(response.headers.get('content-length')) || undefined;
  const zip = path.join(options.workDir, 'libtorch.zip');
  let done = 0;
  const meter = new Transform({
    transform(chunk: Buffer, _encoding, next) {
      done += chunk.length;
      options.onProgress({ phase: 'fetch', message, done, ...(total === undefined ? {} : { total }) });
      next(null, chunk);
    },
  });
  try {
    const body = response.body as Parameters<typeof Readable.fromWeb>[0];
    await pipeline(Readable.fromWeb(body), meter, createWriteStream(zip));
  } catch (cause) {
    throw new Error(`${url}: broke off after ${done} of ${total ?? '?'} bytes (${reason(cause)})`, { cause });
  }
  const size = (await stat(zip)).size;
  if (total !== undefined && size !== total)
    throw new Error(`${url}: ${size} bytes came, ${total} were announced`);
  return { zip, url };
}

async function request(url: string, fetchImpl: typeof fetch): Promise<Response> {
  let response: Response;
  try {
    response = await fetchImpl(url);
  } catch (cause) {
    throw new Error(`${url}: ${reason(cause)}`, { cause });
  }
  if (!response.ok || response.body === null) {
    throw new Error(`${url}: HTTP ${response.status} ${response.statusText}`.trim());
  }
  return response;
}

function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // fetch says only "fetch failed"; the cause names the host and the trouble.
  return error.cause instanceof Error ? error.cause.message : error.message;
}

function archiveName(version: string): string {
  const { platform, arch } = process;
  if (platform === 'linux' && arch === 'x64') return `libtorch-shared-with-deps-${version}+cpu.zip`;
  if (platform === 'darwin' && arch === 'arm64') return `libtorch-macos-arm64-${version}.zip`;
  if (platform === 'win32' && arch === 'x64') return `libtorch-win-shared-with-deps-${version}+cpu.zip`;
  throw new Error(`there is no official libtorch archive for ${platform}-${arch}`);
}
