import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { StorageType } from '../../engine/addon.js';
import { AdaptiveTrainerError } from '../../errors.js';
import { expectInput } from '../../common/expect-input.js';
import { replaceFiles, type FileWriter } from '../../common/replace-files.js';
import { generationConfig } from './generation-config.js';
import { adapterModelFiles, wholeModelFiles } from './model-forms.js';
import { storedWeights } from './stored-weights.js';
import { weightsWriter } from './weights-writer.js';
import { saveAdapter } from '../adapter/save-adapter.js';
import type { SavableModel } from './savable-model.js';
import { configText } from '../architecture/config-text.js';

export interface SaveOptions {
  /** Type of the stored weights. Default `float32`, which loses nothing. */
  dtype?: 'float32' | 'bfloat16' | 'float16';
  /**
   * Of an adapter that began as `pissa` or `olora`: writes it as a plain LoRA of twice the rank, which any program opens on
   * the base as it is (PEFT's path_initial_model_for_weight_conversion). false: as it is, for a base that is changed the same
   * way when it is opened. With `useDora` it is always as it is. Default true.
   */
  plainLora?: boolean;
}

const storageTypes = { float32: 'F32', bfloat16: 'BF16', float16: 'F16' } as const satisfies Record<
  string,
  StorageType
>;

/** See CausalLM.savePretrained. */
export async function savePretrained(
  model: SavableModel,
  dir: string,
  { dtype = 'float32', plainLora = true }: SaveOptions,
): Promise<void> {
  expectInput(Object.hasOwn(storageTypes, dtype), 'dtype', Object.keys(storageTypes).join(' or '), dtype);
  const type = storageTypes[dtype];
  if (model.adapter !== undefined) return saveAdapter(model, dir, type, plainLora);
  if (model.quantization !== undefined) {
    const message = `Expected whole weights to save, found ones in ${model.quantization.type}. Add an adapter and save that, or merge one first (mergeAdapter()), which makes them whole.`;
    throw new AdaptiveTrainerError('INVALID_INPUT', message, { details: { dir } });
  }
  const config = await configJson(model, dtype);
  const files = new Map<string, FileWriter>([
    ['model.safetensors', weightsWriter(model, storedWeights(model.parameters), type)],
    ['config.json', (path) => writeFile(path, config)],
  ]);
  const { text } = await generationConfig(model);
  if (text !== undefined) files.set('generation_config.json', (path) => writeFile(path, text));
  // An adapter in the folder is what is opened there until its adapter_config.json is gone.
  await replaceFiles(dir, files, [...(await adapterModelFiles(dir)), ...(await wholeModelFiles(dir))]);
}

async function configJson(model: SavableModel, dtype: string): Promise<string> {
  // Before transformers 4.56 the key was torch_dtype.
  const { torch_dtype: _old, ...rest } = model.config;
  const config = { ...rest, dtype };
  const source = join(model.dir, 'config.json');
  return configText(config, existsSync(source) ? await readFile(source, 'utf8') : '{}');
}
