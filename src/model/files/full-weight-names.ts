import type { WeightFile } from './find-weights.js';

/** GPT-NeoX's head, as its checkpoints have it. */
const olderHead = /^embed_out\./;

/**
 * The files of a checkpoint of the base model alone (OpenAI's GPT-2 for one: `wte.weight` where the causal model has
 * `transformer.wte.weight`) under the names of the causal model. Other checkpoints stay as they are, but for older
 * names of a head.
 *
 * @param embeddingName the embedding's name in the causal model
 */
export function fullWeightNames(files: readonly WeightFile[], embeddingName: string): WeightFile[] {
  const [prefix, short] = [`${embeddingName.split('.', 1)[0]}.`, embeddingName.replace(/^\w+\./, '')];
  const isBase = files.some(({ tensors }) => tensors.some(({ name }) => name === short));
  const full = (name: string) => {
    const current = name.replace(olderHead, 'lm_head.');
    return isBase && !current.startsWith('lm_head.') ? prefix + current : current;
  };
  return files.map(({ path, tensors }) => ({
    path,
    tensors: tensors.map((tensor) => ({ ...tensor, name: full(tensor.name) })),
  }));
}
