import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import path from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { openPromise } from 'yauzl';
import { mkdirs } from '../../common/mkdirs.js';
import { AdaptiveTrainerError } from '../../errors.js';
import { isOfDisk } from './explain-storage.js';
import type { Entry, ZipFile } from 'yauzl';

/** What to take from a zip, and where progress goes. */
export interface ExtractOptions {
  readonly zip: string;
  readonly into: string;
  /** The path below `into` for an entry of the zip (forward slashes), or undefined to leave it out. */
  readonly select: (entryName: string) => string | undefined;
  readonly onBytes?: (done: number, total: number) => void;
}

/** A file that was written: its name in the zip, its size, and the checksum of what was written. */
export interface ExtractedFile {
  readonly entryName: string;
  readonly size: number;
  /** sha256, in hexadecimal. */
  readonly sha256: string;
}

// A wheel holds ten thousand headers; several at a time hide the latency of creating small files.
const concurrency = 8;

/**
 * Extracts the selected files of a zip, hashing them on the way. Names that would leave the folder, and links, are
 * refused: nothing is written for them.
 * @returns the files by their path below `into`.
 * @throws AdaptiveTrainerError LIBTORCH_BROKEN when the zip is damaged or names a path outside of the folder.
 */
export async function extractZip(options: ExtractOptions): Promise<Map<string, ExtractedFile>> {
  const files = new Map<string, ExtractedFile>();
  let zip: ZipFile | undefined;
  try {
    zip = await openPromise(options.zip, { autoClose: false });
    const chosen = await selectEntries(zip, options);
    const total = chosen.reduce((sum, { entry }) => sum + entry.uncompressedSize, 0);
    let done = 0;
    const onBytes = (count: number): void => options.onBytes?.((done += count), total);
    await makeFolders(options.into, chosen);
    const queue = chosen.values();
    const worker = async (): Promise<void> => {
      for (const { entry, target } of queue) {
        files.set(target, await extractEntry(zip!, entry, path.join(options.into, target), onBytes));
      }
    };
    await Promise.all(Array.from({ length: concurrency }, worker));
    return files;
  } catch (cause) {
    throw brokenZip(options.zip, cause);
  } finally {
    zip?.close();
  }
}

/** The bytes that a zip's selected files take once they are extracted. @throws as extractZip */
export async function sizeOfZip(options: Pick<ExtractOptions, 'zip' | 'select'>): Promise<number> {
  let zip: ZipFile | undefined;
  try {
    zip = await openPromise(options.zip, { autoClose: false });
    const chosen = await selectEntries(zip, { ...options, into: '.' });
    return chosen.reduce((sum, { entry }) => sum + entry.uncompressedSize, 0);
  } catch (cause) {
    throw brokenZip(options.zip, cause);
  } finally {
    zip?.close();
  }
}

/** The error for a zip that cannot be read; one of this library, or of the disk, stays as it is. */
export function brokenZip(zip: string, cause: unknown): unknown {
  if (AdaptiveTrainerError.isInstance(cause) || isOfDisk(cause)) return cause;
  const why = cause instanceof Error ? cause.message : String(cause);
  return new AdaptiveTrainerError('LIBTORCH_BROKEN', `Expected a sound zip in ${zip}, but: ${why}`, {
    details: { zip },
    cause,
  });
}

interface Chosen {
  readonly entry: Entry;
  readonly target: string;
}

async function selectEntries(zip: ZipFile, options: ExtractOptions): Promise<Chosen[]> {
  const chosen: Chosen[] = [];
  const root = path.resolve(options.into);
  for await (const entry of zip.eachEntry()) {
    if (entry.fileName.endsWith('/')) continue;
    const target = options.select(entry.fileName);
    if (target === undefined) continue;
    // yauzl refuses absolute names and `..` by itself; this also guards what `select` made of the name.
    if (!path.resolve(root, target).startsWith(root + path.sep))
      refuse(options.zip, entry, 'leaves the folder');
    if (((entry.externalFileAttributes >>> 16) & 0o170000) === 0o120000)
      refuse(options.zip, entry, 'is a link');
    chosen.push({ entry, target });
  }
  return chosen;
}

function refuse(zip: string, entry: Entry, why: string): never {
  throw new AdaptiveTrainerError(
    'LIBTORCH_BROKEN',
    `Refused to extract ${zip}: its entry ${JSON.stringify(entry.fileName)} ${why}. Nothing was written from it.`,
    { details: { zip, entry: entry.fileName } },
  );
}

async function makeFolders(into: string, chosen: readonly Chosen[]): Promise<void> {
  const folders = new Set(chosen.map(({ target }) => path.dirname(path.join(into, target))));
  for (const folder of folders) await mkdirs(folder);
}

async function extractEntry(
  zip: ZipFile,
  entry: Entry,
  file: string,
  onBytes: (count: number) => void,
): Promise<ExtractedFile> {
  const hash = createHash('sha256');
  let size = 0;
  const meter = new Transform({
    transform(chunk: Buffer, _encoding, next) {
      hash.update(chunk);
      size += chunk.length;
      onBytes(chunk.length);
      next(null, chunk);
    },
  });
  await pipeline(await zip.openReadStreamPromise(entry), meter, createWriteStream(file, { flags: 'wx' }));
  return { entryName: entry.fileName, size, sha256: hash.digest('hex') };
}
