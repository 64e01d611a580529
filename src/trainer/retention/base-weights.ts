import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolder } from '../../common/write-durably.js';
import type { ComputeType } from '../../engine/addon.js';
import { AdaptiveTrainerError } from '../../errors.js';
import type { CausalLM } from '../../model/causal-lm.js';
import { readSafetensorsHeader } from '../../model/files/safetensors-header.js';
import { storedWeights } from '../../model/files/stored-weights.js';
import { weightsWriter } from '../../model/files/weights-writer.js';
import { statesFolder } from './states-folder.js';

/**
 * Lets the optimizer pull the weights to what they are now. They are read from the model's own files, mapped, where these hold
 * the same values; a model that has been changed since it was opened is written to a file of the cache folder, which is deleted
 * at once on systems that keep an open file without its name.
 */
export async function keepBaseWeights(
  model: CausalLM,
  masterType: ComputeType,
  cache = statesFolder(),
): Promise<{ close: () => Promise<void> }> {
  const nothing = { close: async () => {} };
  const own = new Set(model.parameters.map(({ name }) => name));
  const trained = model.trainable.filter(({ name }) => own.has(name));
  const files = trained.length === 0 ? [] : model.weightFiles;
  try {
    await model.call((native) => native.setBaseWeights({ files: [...files] }));
    return nothing;
  } catch (error) {
    if (!AdaptiveTrainerError.isInstance(error, 'WEIGHTS_MISMATCH')) throw error;
  }
  await makeFolder(cache);
  const path = join(cache, `${randomUUID()}.states`);
  const close = () => rm(path, { force: true }).catch(() => {});
  try {
    const dtype = masterType === 'bfloat16' ? 'BF16' : 'F32';
    await weightsWriter(model, storedWeights(trained), dtype)(path);
    const { tensors } = await readSafetensorsHeader(path);
    await model.call((native) => native.setBaseWeights({ files: [{ path, tensors }] }));
    return { close };
  } catch (error) {
    await close();
    throw error;
  }
}
