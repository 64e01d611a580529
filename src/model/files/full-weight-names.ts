import type { WeightFile } from './find-weights.js';

/**
 * The files of a checkpoint of the base model alone (OpenAI's GPT-2 for one: `wte.weight` where the causal model has
 * `transformer.wte.weight`) under the names of the causal model. Other checkpoints stay as they are.
 *
 * @param embeddingName the embedding's name in the causal model
 */
export function fullWeightNames(files: readonly WeightFile[], embeddingName: string): WeightFile[] {
  const [prefix, short] = [`${embeddingName.split('.', 1)[0]}.`, embeddingName.replace(/^\w+\./, '')];
  const isBase = files.some(({ tensors }) => tensors.some(({ name }) => name === short));
  if (!isBase) return [...files];
  const full = (name: string) => (name.startsWith('lm_head.') ? name : prefix + name);
  return files.map(({ path, tensors }) => ({
    path,
    tensors: tensors.map((tensor) => ({ ...tensor, name: full(tensor.name) })),
  }));
}
