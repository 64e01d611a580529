import { join } from 'node:path';
import { AdaptiveTrainerError } from '../../errors.js';
import { isAdapterFolder } from '../../common/adapter-folder.js';
import { readJsonFile } from '../../common/read-json-file.js';
import { filesIn, type ModelFiles } from '../files/find-weights.js';
import { readAdapterConfig, type AdapterConfigFile } from './adapter-config.js';

export interface FoundAdapter extends AdapterConfigFile {
  dir: string;
  /** adapter_model.safetensors. */
  weights: string;
}

/**
 * Opens the folder of a PEFT adapter.
 * @throws AdaptiveTrainerError MODEL_NOT_FOUND, MODEL_UNSUPPORTED, CONFIG_INVALID
 */
export async function findAdapter(
  dir: string,
  { needsWeights = true, files = filesIn(dir) }: { needsWeights?: boolean; files?: ModelFiles } = {},
): Promise<FoundAdapter> {
  const path = join(dir, 'adapter_config.json');
  const file = readAdapterConfig(await readJsonFile(path, 'MODEL_CONFIG_INVALID'), path);
  const weights = join(dir, 'adapter_model.safetensors');
  if (needsWeights && !files.has('adapter_model.safetensors')) {
    const pickled = files.has('adapter_model.bin');
    throw new AdaptiveTrainerError(
      pickled ? 'MODEL_UNSUPPORTED' : 'MODEL_NOT_FOUND',
      `Expected adapter_model.safetensors in ${dir}, found ${
        pickled
          ? 'pickled weights (adapter_model.bin), which can run code when opened. Convert them in Python: ' +
            'PeftModel.from_pretrained(base, dir).save_pretrained(dir, safe_serialization=True)'
          : 'none'
      }.`,
      { details: { dir } },
    );
  }
  return { ...file, dir, weights };
}

/** @throws AdaptiveTrainerError INVALID_INPUT where the base of an adapter is an adapter itself */
export function refuseSecondAdapter(dir: string): void {
  if (!isAdapterFolder(dir)) return;
  const message = `Expected a model without an adapter, since one is given, found the adapter ${dir}. Leave the other out to go on with this one, or merge this one into its base first.`;
  throw new AdaptiveTrainerError('INVALID_INPUT', message, { details: { dir } });
}
