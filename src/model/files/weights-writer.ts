import type { StorageType } from '../../engine/addon.js';
import type { FileWriter } from '../../common/replace-files.js';
import type { SavableModel } from './savable-model.js';
import { safetensorsHeader } from './safetensors-header.js';

/**
 * Writes tensors of a model to a safetensors file.
 * @param prefix goes before their names in the file
 */
export function weightsWriter(
  model: SavableModel,
  tensors: readonly { name: string; shape: readonly number[] }[],
  dtype: StorageType,
  prefix = '',
): FileWriter {
  const names = tensors.map(({ name }) => name);
  const header = safetensorsHeader(tensors.map(({ name, shape }) => ({ name: prefix + name, shape, dtype })));
  return (path) => model.call((native) => native.save({ path, header, names, dtype }));
}
