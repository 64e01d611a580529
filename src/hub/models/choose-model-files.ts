import { tokenizerFileNames } from './tokenizer-file-names.js';

/** Lists the shards of a model. */
export const weightIndex = 'model.safetensors.index.json';

/**
 * The files of a model's repository that training needs: configuration, tokenizer, chat template and the safetensors, of
 * those one set only (`model.safetensors`, else the shards that the index lists). No pickled, ONNX or GGUF weights, and no
 * second copy such as `consolidated.safetensors` or `model.fp16.safetensors`.
 *
 * @param shards what the index lists
 */
export function chooseModelFiles(paths: readonly string[], shards: readonly string[] = []): string[] {
  const own = paths.filter((path) => tokenizerFileNames.includes(path));
  if (paths.includes('adapter_config.json'))
    return [...own, ...paths.filter((path) => path === 'adapter_model.safetensors')];
  const wanted = paths.includes('model.safetensors') ? ['model.safetensors'] : [weightIndex, ...shards];
  return [...own, ...paths.filter((path) => path === 'generation_config.json' || wanted.includes(path))];
}

/** Whether the weights are those that an index lists. */
export function isSharded(paths: readonly string[]): boolean {
  const others = ['model.safetensors', 'adapter_config.json'];
  return paths.includes(weightIndex) && !others.some((name) => paths.includes(name));
}
