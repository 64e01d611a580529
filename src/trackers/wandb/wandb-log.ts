import { open, type FileHandle } from 'node:fs/promises';
import type { IHasher as Crc32 } from 'hash-wasm';
import { AdaptiveTrainerError } from '../../errors.js';
import { BackgroundFile } from '../background-file.js';
import { decodeRecord, encodeRecord, type ReadRecord, type WandbRecord } from './wandb-records.js';

/** `:W&B`, a magic number and the version of the format. */
const fileHeader = Uint8Array.of(0x3a, 0x57, 0x26, 0x42, 0xe1, 0xbe, 0);
const blockSize = 32_768;
const chunkHeader = 7;
/** How a chunk of a record stands to the record: all of it, its first part, a middle part, its last part. */
const chunkTypes = { full: 1, first: 2, middle: 3, last: 4 } as const;

/**
 * The `.wandb` file of a run: records in the framing of LevelDB's log (blocks of 32 KiB; each chunk has a CRC-32 that
 * starts with its type byte, a length and a type). It is written in the background, and what is written can be read
 * back while it grows.
 */
export class WandbLog {
  private readonly file: BackgroundFile;
  private readonly crc = import('hash-wasm').then(({ createCRC32 }) => createCRC32());
  private position = 0;
  private records = 0;

  constructor(path: string, onFailure: (reason: string) => void) {
    this.file = new BackgroundFile(path, onFailure);
  }

  get path(): string {
    return this.file.path;
  }

  append(record: WandbRecord): void {
    const data = encodeRecord(record, ++this.records);
    this.file.append(async () => this.framed(data, await this.crc));
  }

  flushed(): Promise<void> {
    return this.file.flushed();
  }

  close(): Promise<void> {
    return this.file.close();
  }

  /**
   * Yields the records from a position on that are completely written, each with the position after it.
   * @param position 0 for the start of the file
   */
  async *read(position: number): AsyncGenerator<{ record: ReadRecord; next: number }, void, undefined> {
    await this.file.flushed();
    if (this.file.written === 0) return;
    const handle = await open(this.file.path, 'r');
    try {
      yield* readRecords(handle, position === 0 ? fileHeader.length : position, this.file.written);
    } finally {
      await handle.close();
    }
  }

  private framed(data: Uint8Array, crc: Crc32): Uint8Array {
    const parts: Uint8Array[] = [];
    const push = (part: Uint8Array) => {
      parts.push(part);
      this.position += part.length;
    };
    if (this.position === 0) push(fileHeader);
    let rest = data;
    let isFirst = true;
    do {
      const room = blockSize - (this.position % blockSize);
      if (room < chunkHeader) {
        push(new Uint8Array(room));
        continue;
      }
      const part = rest.subarray(0, room - chunkHeader);
      rest = rest.subarray(part.length);
      const type = rest.length === 0 ? (isFirst ? 'full' : 'last') : isFirst ? 'first' : 'middle';
      push(chunk(part, chunkTypes[type], crc));
      isFirst = false;
    } while (rest.length > 0 || isFirst);
    return Buffer.concat(parts);
  }
}

function chunk(data: Uint8Array, type: number, crc: Crc32): Uint8Array {
  const framed = Buffer.alloc(chunkHeader + data.length);
  const checksum = crc.init().update(Uint8Array.of(type)).update(data).digest('hex');
  framed.writeUInt32LE(Number.parseInt(checksum, 16), 0);
  framed.writeUInt16LE(data.length, 4);
  framed.writeUInt8(type, 6);
  framed.set(data, chunkHeader);
  return framed;
}

async function* readRecords(handle: FileHandle, from: number, end: number) {
  let position = from;
  let parts: Uint8Array[] = [];
  while (position + chunkHeader <= end) {
    const room = blockSize - (position % blockSize);
    if (room < chunkHeader) {
      position += room;
      continue;
    }
    const header = await bytes(handle, position, chunkHeader);
    const length = header.readUInt16LE(4);
    const type = header.readUInt8(6);
    // Torn by a process that was killed.
    if (position + chunkHeader + length > end) return;
    parts.push(await bytes(handle, position + chunkHeader, length));
    position += chunkHeader + length;
    if (type !== chunkTypes.full && type !== chunkTypes.last) continue;
    yield { record: decodeRecord(Buffer.concat(parts)), next: position };
    parts = [];
  }
}

async function bytes(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, position);
  if (bytesRead < length)
    throw new AdaptiveTrainerError(
      'IO_FAILED',
      `Expected ${length} bytes at ${position} of the W&B log, found ${bytesRead}.`,
    );
  return buffer;
}

/** Reads a `.wandb` file of an earlier process, up to where it ends or was torn. */
export async function* readWandbLog(path: string): AsyncGenerator<ReadRecord, void, undefined> {
  const handle = await open(path, 'r');
  try {
    const { size } = await handle.stat();
    for await (const { record } of readRecords(handle, fileHeader.length, size)) yield record;
  } finally {
    await handle.close();
  }
}
