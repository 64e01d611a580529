import type { StorageType } from '../../engine/addon.js';
import type { FileWriter } from '../../common/replace-files.js';
import type { SavableModel } from './savable-model.js';
import { safetensorsHeader } from './safetensors-header.js';

/**
 * Writes tensors of a model to a safetensors file.
 * @param tensors their names in the engine, with those in the file where they have others
 * @param plain as NativeModel.save()
 */
export function weightsWriter(
  model: SavableModel,
  tensors: readonly { name: string; fileName?: string; shape: readonly number[] }[],
  dtype: StorageType,
  plain = false,
): FileWriter {
  const names = tensors.map(({ name }) => name);
  const header = safetensorsHeader(
    tensors.map(({ name, fileName, shape }) => ({ name: fileName ?? name, shape, dtype })),
  );
  return (path) => model.call((native) => native.save({ path, header, names, dtype, plain }));
}
