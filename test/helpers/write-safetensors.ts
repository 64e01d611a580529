import { writeFileSync } from 'node:fs';

export interface TensorToWrite {
  shape: number[];
  data: Float32Array;
}

export interface HeaderEntry {
  dtype: unknown;
  shape: unknown;
  data_offsets: unknown;
}

/** The header that describes float32 tensors one after another, to be changed before it is written. */
export function headerOf(tensors: Record<string, TensorToWrite>): Record<string, HeaderEntry> {
  let offset = 0;
  return Object.fromEntries(
    Object.entries(tensors).map(([name, { shape, data }]) => {
      const begin = offset;
      offset += data.byteLength;
      return [name, { dtype: 'F32', shape, data_offsets: [begin, offset] }];
    }),
  );
}

/** A safetensors file as bytes. `header` may be anything, true or not. Independent of the library's own writer. */
export function safetensorsBytes(
  tensors: Record<string, TensorToWrite>,
  header: unknown = headerOf(tensors),
): Buffer {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  const data = Object.values(tensors).map((t) =>
    Buffer.from(t.data.buffer, t.data.byteOffset, t.data.byteLength),
  );
  return Buffer.concat([length, text, ...data]);
}

export function writeSafetensors(path: string, tensors: Record<string, TensorToWrite>): void {
  writeFileSync(path, safetensorsBytes(tensors));
}
