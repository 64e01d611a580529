import { open } from 'node:fs/promises';
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
 */
export async function storedHead(
  files: readonly WeightFile[],
  embeddingName: string,
  tied: boolean,
): Promise<StoredHead> {
  const head = locate(files, headName);
  if (!tied || head === undefined) return { tied, files: [...files] };
  const embedding = locate(files, embeddingName);
  if (embedding === undefined) return { tied, files: mapNames(files, headName, embeddingName) };
  if (!(await sameBytes(head, embedding))) return { tied: false, files: [...files] };
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

async function sameBytes(a: Located, b: Located): Promise<boolean> {
  const bytes = a.tensor.end - a.tensor.begin;
  if (a.tensor.dtype !== b.tensor.dtype || bytes !== b.tensor.end - b.tensor.begin) return false;
  const [left, right] = [await open(a.path), await open(b.path)];
  try {
    const size = 4 << 20;
    const buffers = [Buffer.alloc(size), Buffer.alloc(size)] as const;
    for (let done = 0; done < bytes; done += size) {
      const count = Math.min(size, bytes - done);
      await left.read(buffers[0], 0, count, a.tensor.begin + done);
      await right.read(buffers[1], 0, count, b.tensor.begin + done);
      if (buffers[0].compare(buffers[1], 0, count, 0, count) !== 0) return false;
    }
    return true;
  } finally {
    await Promise.all([left.close(), right.close()]);
  }
}
