import { writeFileSync } from 'node:fs';

/** Writes float32 arrays as a safetensors file. */
export function writeSafetensors(
  path: string,
  tensors: Record<string, { data: Float32Array; shape: readonly number[] }>,
): void {
  let offset = 0;
  const header: Record<string, unknown> = {};
  for (const [name, { data, shape }] of Object.entries(tensors)) {
    header[name] = { dtype: 'F32', shape, data_offsets: [offset, offset + data.byteLength] };
    offset += data.byteLength;
  }
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  const data = Object.values(tensors).map(({ data }) =>
    Buffer.from(data.buffer, data.byteOffset, data.byteLength),
  );
  writeFileSync(path, Buffer.concat([length, text, ...data]));
}
