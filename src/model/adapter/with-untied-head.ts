import type { NamedWeight } from '../../engine/addon.js';
import type { WeightFile } from '../files/find-weights.js';

/** A head that an adapter took off the embedding begins as its copy. */
export function withUntiedHead(
  files: readonly WeightFile[],
  parameters: readonly NamedWeight[],
  embedding: string,
): WeightFile[] {
  const has = (name: string) => files.some(({ tensors }) => tensors.some((tensor) => tensor.name === name));
  const head = parameters.find(({ name }) => name === 'lm_head.weight');
  const headName = head?.stored?.[0] ?? 'lm_head.weight';
  if (head === undefined || has(headName)) return [...files];
  return files.map(({ path, tensors }) => ({
    path,
    tensors: tensors.flatMap((tensor) =>
      tensor.name === embedding ? [tensor, { ...tensor, name: headName }] : [tensor],
    ),
  }));
}
