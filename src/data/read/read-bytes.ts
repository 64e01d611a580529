import { createReadStream } from 'node:fs';
import { createGunzip } from 'node:zlib';
import { pipeline, type Readable } from 'node:stream';
import { Decompress } from 'fzstd';
import { AdaptiveTrainerError } from '../../errors.js';
import { dataFileKind } from '../../common/data-file-kind.js';
import { inMebibytes, rowLimits } from './row-limits.js';

const chunkBytes = 1 << 20;

export interface ReadBytesOptions {
  /** Give packed bytes as they are. Default false. */
  raw?: boolean;
  /** Told how many bytes of the file were read so far. */
  onRead?: ((bytes: number) => void) | undefined;
}

/**
 * The content of a file in pieces of about a megabyte, unpacked where its name ends in `.gz` or `.zst`.
 *
 * @throws AdaptiveTrainerError `DATASET_NOT_FOUND`; `DATASET_INVALID` when packed data is damaged or cut short;
 * `IO_FAILED` when the file cannot be read
 */
export async function* readBytes(
  path: string,
  { raw = false, onRead = () => {} }: ReadBytesOptions = {},
): AsyncGenerator<Buffer> {
  const compression = raw ? null : (dataFileKind(path)?.compression ?? null);
  const file = createReadStream(path, { highWaterMark: chunkBytes });
  try {
    for await (const bytes of unpacked(file, compression)) {
      onRead(file.bytesRead);
      yield bytes;
    }
  } catch (cause) {
    throw explain(path, compression, cause);
  } finally {
    file.destroy();
  }
}

function unpacked(file: Readable, compression: 'gzip' | 'zstd' | null): AsyncIterable<Buffer> {
  if (compression === null) return file;
  if (compression === 'zstd') return unpackZstd(file);
  // pipeline hands errors of the file on to the unpacked stream, where they are thrown.
  return pipeline(file, createGunzip({ chunkSize: chunkBytes }), () => {});
}

async function* unpackZstd(file: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let ready: Buffer[] = [];
  const unpacker = new Decompress((data) => void (data.length > 0 && ready.push(Buffer.from(data))));
  let isStart = true;
  for await (const chunk of file) {
    if (isStart) checkWindow(chunk);
    isStart = false;
    // In small bites, so that well-packed data does not swell to gigabytes at once.
    for (let at = 0; at < chunk.length; at += 1 << 10) {
      unpacker.push(chunk.subarray(at, at + (1 << 10)));
      yield* ready;
      ready = [];
    }
  }
  unpacker.push(new Uint8Array(0), true);
  yield* ready;
}

/** The first frame says how much is to be kept for looking back (RFC 8878, 3.1.1.1), and that is reserved at once. */
function checkWindow(bytes: Buffer): void {
  if (bytes.length < 18 || bytes.readUInt32LE(0) !== 0xfd2fb528) return;
  const flags = bytes[4]!;
  const isSingle = (flags & 0x20) !== 0;
  const sizeFlag = flags >> 6;
  const sizeAt = 6 - (isSingle ? 1 : 0) + [0, 1, 2, 4][flags & 3]!;
  const size = [BigInt(bytes[sizeAt]!), BigInt(bytes.readUInt16LE(sizeAt)) + 256n][sizeFlag];
  const content =
    size ?? (sizeFlag === 2 ? BigInt(bytes.readUInt32LE(sizeAt)) : bytes.readBigUInt64LE(sizeAt));
  const exponent = 10 + (bytes[5]! >> 3);
  const window = isSingle ? content : (2n ** BigInt(exponent) * BigInt(8 + (bytes[5]! & 7))) / 8n;
  if (window <= BigInt(rowLimits.zstdWindow)) return;
  throw new Error(
    `it asks for a window of ${inMebibytes(Number(window))}, and at most ${inMebibytes(rowLimits.zstdWindow)} are taken; ` +
      `pack it with zstd --long=27 or less`,
  );
}

function explain(path: string, compression: 'gzip' | 'zstd' | null, cause: unknown): unknown {
  if (AdaptiveTrainerError.isInstance(cause)) return cause;
  const { code, syscall } = cause as NodeJS.ErrnoException;
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return new AdaptiveTrainerError(
      'DATASET_NOT_FOUND',
      `Expected a data file at ${path} but there is none. Relative paths start at ${process.cwd()}.`,
      { details: { path }, cause },
    );
  }
  if (syscall !== undefined) {
    const advice = code === 'EISDIR' ? 'It is a folder; name a file in it.' : 'Check its permissions.';
    return new AdaptiveTrainerError('IO_FAILED', `Could not read ${path}: ${String(cause)}. ${advice}`, {
      details: { path },
      cause,
    });
  }
  if (compression === null) return cause; // thrown by the reader's user
  const said = cause instanceof Error ? cause.message : String(cause);
  return new AdaptiveTrainerError(
    'DATASET_INVALID',
    `Expected whole ${compression} data in ${path} but it is damaged or cut short: ${said}. Fetch or pack the file again.`,
    { details: { path, compression }, cause },
  );
}
