import type { WeightFile } from './find-weights.js';

/**
 * The files of a checkpoint of the base model alone (OpenAI's GPT-2 for one: `h.0.attn…` where the causal model has
 * `transformer.h.0.attn…`) under the names of the causal model. Names that fit as they are stay.
 *
 * @param needed the weights of the model, the embedding first
 */
export function fullWeightNames(
  files: readonly WeightFile[],
  needed: readonly { name: string }[],
): WeightFile[] {
  const known = new Set(needed.map(({ name }) => name));
  const prefix = `${needed[0]!.name.split('.', 1)[0]}.`;
  const renamed = (name: string) => (!known.has(name) && known.has(prefix + name) ? prefix + name : name);
  return files.map(({ path, tensors }) => ({
    path,
    tensors: tensors.map((tensor) => ({ ...tensor, name: renamed(tensor.name) })),
  }));
}
