import { tokenizerFileNames } from './tokenizer-file-names.js';

const index = 'model.safetensors.index.json';

/**
 * The files of a model's repository that training needs: configuration, tokenizer, chat template and the safetensors, of
 * those one set only (`model.safetensors`, else the shards). No pickled, ONNX or GGUF weights, and no second copy such
 * as `consolidated.safetensors` or `model.fp16.safetensors`.
 */
export function chooseModelFiles(paths: readonly string[]): string[] {
  const own = paths.filter((path) => tokenizerFileNames.includes(path));
  if (paths.includes('adapter_config.json'))
    return [...own, ...paths.filter((path) => path === 'adapter_model.safetensors')];
  const single = paths.includes('model.safetensors');
  const isWeight = (path: string) =>
    single ? path === 'model.safetensors' : path === index || /^model-\d+-of-\d+\.safetensors$/.test(path);
  const weights = paths.filter((path) => path === 'generation_config.json' || isWeight(path));
  return [...own, ...weights];
}
