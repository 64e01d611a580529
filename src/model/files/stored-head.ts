import { open, type FileHandle } from 'node:fs/promises';
import type { StoredTensor } from '../../engine/addon.js';
import type { WeightFile } from './find-weights.js';

interface Located {
  path: string;
  tensor: StoredTensor;
}

export interface StoredHead {
  /** Whether the head is the embedding. */
  tied: boolean;
  files: WeightFile[];
}

const headName = 'lm_head.weight';

/**
 * What a checkpoint makes of a head that config.json ties to the embedding, as transformers 5 does: a stored head that
 * repeats the embedding is dropped; one that differs is a head of its own; one that stands alone is the embedding.
 *
 * @param embeddingName the embedding's name in the model
 * @param isSame whether the two hold the same values; read from the files
 */
export async function storedHead(
  files: readonly WeightFile[],
  embeddingName: string,
  tied: boolean,
  isSame: (a: Located, b: Located) => Promise<boolean> = sameValues,
): Promise<StoredHead> {
  const head = locate(files, headName);
  if (!tied || head === undefined) return { tied, files: [...files] };
  const embedding = locate(files, embeddingName);
  if (embedding === undefined) return { tied, files: mapNames(files, headName, embeddingName) };
  if (!(await isSame(head, embedding))) return { tied: false, files: [...files] };
  return { tied, files: mapNames(files, headName, undefined) };
}

function locate(files: readonly WeightFile[], name: string): Located | undefined {
  for (const { path, tensors } of files) {
    const tensor = tensors.find((candidate) => candidate.name === name);
    if (tensor !== undefined) return { path, tensor };
  }
  return undefined;
}

/** The files with the tensor `from` under another name, or without it. */
function mapNames(files: readonly WeightFile[], from: string, to: string | undefined): WeightFile[] {
  return files.map(({ path, tensors }) => ({
    path,
    tensors: tensors.flatMap((tensor) => {
      if (tensor.name !== from) return [tensor];
      return to === undefined ? [] : [{ ...tensor, name: to }];
    }),
  }));
}

/** Whether two tensors hold the same values, in whatever types. */
async function sameValues(a: Located, b: Located): Promise<boolean> {
  if (a.tensor.shape.join() !== b.tensor.shape.join()) return false;
  const count = a.tensor.shape.reduce((product, length) => product * length, 1);
  const [left, right] = [await open(a.path), await open(b.path)];
  try {
    const atOnce = 1 << 20;
    for (let first = 0; first < count; first += atOnce) {
      const length = Math.min(atOnce, count - first);
      const [one, other] = [await read(left, a, first, length), await read(right, b, first, length)];
      if (a.tensor.dtype === b.tensor.dtype ? !one.equals(other) : !sameNumbers(one, a, other, b))
        return false;
    }
    return true;
  } finally {
    await Promise.all([left.close(), right.close()]);
  }
}

async function read(file: FileHandle, { tensor }: Located, first: number, count: number): Promise<Buffer> {
  const width = (tensor.end - tensor.begin) / tensor.shape.reduce((product, length) => product * length, 1);
  const buffer = Buffer.alloc(count * width);
  await file.read(buffer, 0, buffer.length, tensor.begin + first * width);
  return buffer;
}

function sameNumbers(one: Buffer, a: Located, other: Buffer, b: Located): boolean {
  const [left, right] = [numbersOf(one, a.tensor.dtype), numbersOf(other, b.tensor.dtype)];
  return left !== undefined && right !== undefined && left.every((value, i) => value === right[i]);
}

/** Undefined for a type that no head has. */
function numbersOf(bytes: Buffer, dtype: string): Float32Array | Float64Array | undefined {
  if (dtype === 'F64') return new Float64Array(bytes.buffer, bytes.byteOffset, bytes.length / 8);
  if (dtype === 'F32') return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  if (dtype !== 'BF16' && dtype !== 'F16') return undefined;
  const halves = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2);
  // bfloat16 is the upper half of float32.
  if (dtype === 'BF16') return new Float32Array(Uint32Array.from(halves, (bits) => bits << 16).buffer);
  return Float32Array.from(halves, float16);
}

function float16(bits: number): number {
  const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25));
}
