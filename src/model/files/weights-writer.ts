import type { StorageType } from '../../engine/addon.js';
import type { FileWriter } from '../../common/replace-files.js';
import type { SavableModel } from './savable-model.js';
import { safetensorsHeader } from './safetensors-header.js';

/**
 * Writes tensors of a model to a safetensors file.
 * @param nameInFile what a tensor is called there
 */
export function weightsWriter(
  model: SavableModel,
  tensors: readonly { name: string; shape: readonly number[] }[],
  dtype: StorageType,
  nameInFile = (name: string): string => name,
): FileWriter {
  const names = tensors.map(({ name }) => name);
  const header = safetensorsHeader(
    tensors.map(({ name, shape }) => ({ name: nameInFile(name), shape, dtype })),
  );
  return (path) => model.call((native) => native.save({ path, header, names, dtype }));
}
