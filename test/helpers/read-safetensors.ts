import { readFileSync } from 'node:fs';

export interface StoredArray {
  data: Float64Array | Float32Array | BigInt64Array;
  shape: number[];
}

/** All tensors of a small safetensors file, for comparing with. Independent of the library's own reader. */
export function readSafetensors(path: string): Record<string, StoredArray> {
  const bytes = readFileSync(path);
  const length = Number(bytes.readBigUInt64LE());
  const header = JSON.parse(bytes.subarray(8, 8 + length).toString()) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  const out: Record<string, StoredArray> = {};
  for (const [name, { dtype, shape, data_offsets: range }] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    const copy = Uint8Array.from(bytes.subarray(8 + length + range[0], 8 + length + range[1])).buffer;
    const type = { F64: Float64Array, F32: Float32Array, I64: BigInt64Array }[dtype];
    if (type === undefined) throw new Error(`${path} holds ${dtype}, which this test helper does not read`);
    out[name] = { data: new type(copy), shape };
  }
  return out;
}

/** Numbers of a tensor, whatever its type. */
export function numbers({ data }: StoredArray): Float64Array {
  return Float64Array.from(data as ArrayLike<number | bigint>, Number);
}
