import { existsSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { AdaptiveTrainerError } from '../../errors.js';
import { readJsonFile } from '../read-json-file.js';
import { readAdapterConfig, type AdapterConfigFile } from './adapter-config.js';

export interface FoundAdapter extends AdapterConfigFile {
  dir: string;
  /** adapter_model.safetensors. */
  weights: string;
}

/** Whether a folder is that of a PEFT adapter. */
export function isAdapterFolder(dir: string): boolean {
  return existsSync(join(dir, 'adapter_config.json'));
}

/**
 * Opens the folder of a PEFT adapter.
 * @throws AdaptiveTrainerError MODEL_NOT_FOUND, MODEL_UNSUPPORTED, CONFIG_INVALID
 */
export async function findAdapter(
  dir: string,
  { needsWeights = true }: { needsWeights?: boolean } = {},
): Promise<FoundAdapter> {
  const path = join(dir, 'adapter_config.json');
  const file = readAdapterConfig(await readJsonFile(path, 'MODEL_CONFIG_INVALID'), path);
  const weights = join(dir, 'adapter_model.safetensors');
  if (needsWeights && !existsSync(weights)) {
    const pickled = existsSync(join(dir, 'adapter_model.bin'));
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

/**
 * The base model of an adapter: a folder, from the current directory or from the adapter's, or a name on the Hub.
 * @throws AdaptiveTrainerError MODEL_NOT_FOUND where adapter_config.json names none
 */
export function adapterBase({ dir, base }: Pick<FoundAdapter, 'dir' | 'base'>): string {
  if (base === undefined) {
    throw new AdaptiveTrainerError(
      'MODEL_NOT_FOUND',
      `Expected base_model_name_or_path in ${join(dir, 'adapter_config.json')}, found none. Open the base model with adapter: ${JSON.stringify(dir)}.`,
      { details: { dir } },
    );
  }
  const isFolder = (path: string) => existsSync(path) && statSync(path).isDirectory();
  const beside = resolve(dir, base);
  return !isFolder(resolve(base)) && isFolder(beside) ? beside : base;
}
