import { existsSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { AdaptiveTrainerError } from '../errors.js';

/** Whether a folder is that of a PEFT adapter. */
export function isAdapterFolder(dir: string): boolean {
  return existsSync(join(dir, 'adapter_config.json'));
}

/**
 * The base model of an adapter: a folder, from the current directory or from the adapter's, or a name on the Hub.
 * @throws AdaptiveTrainerError MODEL_NOT_FOUND where adapter_config.json names none
 */
export function adapterBase({ dir, base }: { dir: string; base?: string | undefined }): string {
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
