import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { AdaptiveTrainerError } from '../../errors.js';
import { findWeights } from './find-weights.js';

/** Of each tensor so much is looked at: its beginning and its middle. */
const sampleBytes = 1024;

/**
 * A hash of the weights in a model's folder, wherever it lies and however it is cut into shards: names, types, shapes and
 * a sample of each tensor's values. null for a folder without weights.
 */
export async function weightsFingerprint(dir: string): Promise<string | null> {
  const files = await findWeights(dir).catch((error: unknown) => {
    if (AdaptiveTrainerError.isInstance(error)) return [];
    throw error;
  });
  if (files.length === 0) return null;
  const parts: string[] = [];
  for (const { path, tensors } of files) {
    const handle = await open(path, 'r');
    try {
      for (const { name, dtype, shape, begin, end } of tensors) {
        const hash = createHash('sha256');
        for (const start of [begin, Math.floor((begin + end) / 2)]) {
          const length = Math.min(sampleBytes, end - start);
          const { bytesRead, buffer } = await handle.read(Buffer.alloc(length), 0, length, start);
          hash.update(buffer.subarray(0, bytesRead));
        }
        parts.push(JSON.stringify([name, dtype, shape, hash.digest('hex')]));
      }
    } finally {
      await handle.close();
    }
  }
  return createHash('sha256').update(parts.sort().join('\n')).digest('hex');
}
