import type { IHasher as Crc32 } from 'hash-wasm';

/** The polynomial of CRC-32C (Castagnoli), its bits reversed. */
const castagnoli = 0x82f63b78;

/** Frames records as TFRecord files do: length, masked CRC of the length, data, masked CRC of the data. */
export class RecordFrame {
  private constructor(private readonly crc: Crc32) {}

  static async create(): Promise<RecordFrame> {
    const { createCRC32 } = await import('hash-wasm');
    return new RecordFrame(await createCRC32(castagnoli));
  }

  frame(data: Uint8Array): Uint8Array {
    const record = Buffer.alloc(data.length + 16);
    record.writeBigUInt64LE(BigInt(data.length), 0);
    record.writeUInt32LE(this.masked(record.subarray(0, 8)), 8);
    record.set(data, 12);
    record.writeUInt32LE(this.masked(data), 12 + data.length);
    return record;
  }

  private masked(data: Uint8Array): number {
    const crc = Number.parseInt(this.crc.init().update(data).digest('hex'), 16);
    // A CRC of data that holds CRCs tells little, hence the rotation and the constant.
    return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
  }
}
