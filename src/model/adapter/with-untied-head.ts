import type { WeightFile } from '../files/find-weights.js';

/** A head that an adapter took off the embedding begins as its copy. */
export function withUntiedHead(
  files: readonly WeightFile[],
  parameters: readonly { name: string }[],
  embedding: string,
): WeightFile[] {
  const has = (name: string) => files.some(({ tensors }) => tensors.some((tensor) => tensor.name === name));
  if (has('lm_head.weight') || !parameters.some(({ name }) => name === 'lm_head.weight')) return [...files];
  return files.map(({ path, tensors }) => ({
    path,
    tensors: tensors.flatMap((tensor) =>
      tensor.name === embedding ? [tensor, { ...tensor, name: 'lm_head.weight' }] : [tensor],
    ),
  }));
}
