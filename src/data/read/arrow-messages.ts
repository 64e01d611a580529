import type { FileHandle } from 'node:fs/promises';
import { inMebibytes, rowLimits } from './row-limits.js';

/** One encapsulated message of an Arrow file, whole: its prefix, its metadata and its body. */
export interface ArrowMessage {
  kind: 'schema' | 'dictionary' | 'batch' | 'other';
  bytes: Uint8Array;
}

const kinds = ['other', 'schema', 'dictionary', 'batch'] as const;
const continuation = 0xffffffff;
const fileMagic = 'ARROW1';
const metadataBytes = 1 << 26;

/**
 * The messages of an Arrow file in order, of the stream format, or of the file format, which is a stream between marks.
 * Each has a buffer of its own, aligned as Arrow wants it.
 *
 * @throws Error in words, when a message is cut short or too large to be held
 */
export async function* arrowMessages(file: FileHandle): AsyncGenerator<ArrowMessage> {
  const start = await read(file, 0, 8, false);
  let at = start.toString('latin1', 0, 6) === fileMagic ? 8 : 0;
  for (;;) {
    const prefix = await read(file, at, 8, false);
    if (prefix.length < 4) return; // some writers leave the mark of the end out
    const isNew = prefix.readUInt32LE(0) === continuation;
    if (isNew && prefix.length < 8) throw new Error(`it ends inside of a message, at byte ${at}`);
    const length = prefix.readInt32LE(isNew ? 4 : 0);
    at += isNew ? 8 : 4;
    if (length === 0) return;
    if (length < 0 || length > metadataBytes) throw new Error(`no Arrow message begins at byte ${at}`);
    const metadata = await read(file, at, length);
    const { kind, bodyLength } = header(metadata);
    if (!(bodyLength >= 0 && bodyLength <= rowLimits.groupBytes)) {
      const most = inMebibytes(rowLimits.groupBytes);
      throw new Error(
        `a batch has ${inMebibytes(bodyLength)}, and at most ${most} are read at once; write smaller batches`,
      );
    }
    const padded = (length + 7) & ~7;
    const bytes = new Uint8Array(8 + padded + bodyLength);
    new DataView(bytes.buffer).setUint32(0, continuation, true);
    new DataView(bytes.buffer).setInt32(4, padded, true);
    bytes.set(metadata, 8);
    bytes.set(await read(file, at + length, bodyLength), 8 + padded);
    at += length + bodyLength;
    yield { kind, bytes };
  }
}

/** Of the flatbuffer `Message`: the type of its header (field 1) and how long its body is (field 3). */
function header(metadata: Buffer): { kind: ArrowMessage['kind']; bodyLength: number } {
  const table = metadata.readUInt32LE(0);
  const fields = table - metadata.readInt32LE(table);
  const end = fields + metadata.readUInt16LE(fields);
  const place = (field: number) => {
    const slot = fields + 4 + 2 * field;
    const offset = slot < end ? metadata.readUInt16LE(slot) : 0;
    return offset === 0 ? undefined : table + offset;
  };
  const [type, body] = [place(1), place(3)];
  return {
    kind: kinds[type === undefined ? 0 : metadata.readUInt8(type)] ?? 'other',
    bodyLength: body === undefined ? 0 : Number(metadata.readBigInt64LE(body)),
  };
}

async function read(file: FileHandle, position: number, length: number, isWhole = true): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  let count = 0;
  while (count < length) {
    const { bytesRead } = await file.read(bytes, count, length - count, position + count);
    if (bytesRead === 0 && isWhole) throw new Error(`it ends at byte ${position + count}`);
    if (bytesRead === 0) break;
    count += bytesRead;
  }
  return bytes.subarray(0, count);
}
