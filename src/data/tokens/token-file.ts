import { createHash } from 'node:crypto';
import { createReadStream, openSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { TokenRows } from './token-rows.js';

/*
 * The file: tokens (4 bytes each, see token-word.ts), lengths and trained counts (4 bytes a row each), a note as JSON,
 * then 16 bytes: tokens (8), rows (4), bytes of the note (4), and the SHA-256 of all before it. Little endian.
 */
const sizesBytes = 16;
const hashBytes = 32;
const inMemory = 1 << 25; // bytes of tokens up to which they are kept in memory

/** What follows the tokens in a file, in parts. */
export function tokenFileIndex(
  lengths: Uint32Array,
  trained: Uint32Array,
  words: number,
  note: unknown,
): Buffer[] {
  const text = Buffer.from(JSON.stringify(note));
  const sizes = Buffer.alloc(sizesBytes);
  sizes.writeBigUInt64LE(BigInt(words), 0);
  sizes.writeUInt32LE(lengths.length, 8);
  sizes.writeUInt32LE(text.length, 12);
  return [bytesOf(lengths), bytesOf(trained), text, sizes];
}

/** The bytes of numbers, not copied. */
export function bytesOf(words: Uint32Array): Buffer {
  return Buffer.from(words.buffer, words.byteOffset, words.byteLength);
}

/** Opens a file of tokens. Undefined where there is none or it is not exactly as it was written. */
export async function openTokenFile(path: string): Promise<{ rows: TokenRows; note: unknown } | undefined> {
  try {
    const index = await readIndex(path);
    const memory = index.words * 4 <= inMemory ? new Uint32Array(index.words) : undefined;
    const digest = await verify(path, index, memory && bytesOf(memory));
    if (digest === undefined) return undefined;
    const where = memory === undefined ? { file: openSync(path, 'r'), path } : { memory };
    return { rows: new TokenRows(index.lengths, index.trained, where, digest), note: index.note };
  } catch {
    return undefined; // whatever is wrong with it, it can be made anew
  }
}

async function readIndex(path: string) {
  const handle = await open(path);
  try {
    const { size } = await handle.stat();
    const read = async (start: number, length: number) => {
      // Sizes of a damaged file may be anything: look before allocating.
      if (start < 0 || length < 0 || start + length > size) throw new Error('cut short');
      const bytes = Buffer.from(new ArrayBuffer(length));
      await handle.read(bytes, 0, length, start);
      return bytes;
    };
    const end = size - hashBytes;
    const hash = await read(end, hashBytes);
    const sizes = await read(end - sizesBytes, sizesBytes);
    const words = Number(sizes.readBigUInt64LE(0));
    const [rows, noteBytes] = [sizes.readUInt32LE(8), sizes.readUInt32LE(12)];
    if (words * 4 + rows * 8 + noteBytes + sizesBytes !== end) throw new Error('sizes do not add up');
    const numbers = async (start: number) => new Uint32Array((await read(start, rows * 4)).buffer);
    const note: unknown = JSON.parse((await read(words * 4 + rows * 8, noteBytes)).toString());
    const [lengths, trained] = [await numbers(words * 4), await numbers(words * 4 + rows * 4)];
    return { words, lengths, trained, note, end, hash };
  } finally {
    await handle.close();
  }
}

/**
 * Compares the hash of the first `end` bytes, and copies as many of them as fit into `keep`.
 * @returns the hash of the tokens alone; undefined where the file is not as it was written
 */
async function verify(
  path: string,
  { end, hash: wanted, words }: { end: number; hash: Buffer; words: number },
  keep: Buffer | undefined,
): Promise<string | undefined> {
  const hash = createHash('sha256');
  let [at, digest] = [0, words === 0 ? hash.copy().digest('hex') : ''];
  for await (const chunk of createReadStream(path, { end: end - 1, highWaterMark: 1 << 20 })) {
    const bytes = chunk as Buffer;
    if (keep !== undefined && at < keep.length) bytes.copy(keep, at);
    const ofTokens = Math.min(bytes.length, Math.max(0, words * 4 - at));
    hash.update(bytes.subarray(0, ofTokens));
    at += bytes.length;
    if (ofTokens > 0 && at >= words * 4) digest = hash.copy().digest('hex');
    hash.update(bytes.subarray(ofTokens));
  }
  return hash.digest().equals(wanted) ? digest : undefined;
}
