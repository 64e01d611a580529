import { existsSync } from 'node:fs';
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { StorageType } from '../../engine/addon.js';
import { expectInput } from '../../common/expect-input.js';
import { replaceFiles, type FileWriter } from '../../common/replace-files.js';
import { adapterModelFiles, wholeModelFiles } from './model-forms.js';
import { weightsWriter } from './weights-writer.js';
import { saveAdapter } from '../adapter/save-adapter.js';
import { readJsonFile } from '../../common/read-json-file.js';
import { readEosTokenIds } from './read-eos-token-ids.js';
import type { SavableModel } from './savable-model.js';
import { configText } from '../architecture/config-text.js';

export interface SaveOptions {
  /** Type of the stored weights. Default `float32`, which loses nothing. */
  dtype?: 'float32' | 'bfloat16' | 'float16';
}

const storageTypes = { float32: 'F32', bfloat16: 'BF16', float16: 'F16' } as const satisfies Record<
  string,
  StorageType
>;

/** See CausalLM.savePretrained. */
export async function savePretrained(
  model: SavableModel,
  dir: string,
  { dtype = 'float32' }: SaveOptions,
): Promise<void> {
  expectInput(Object.hasOwn(storageTypes, dtype), 'dtype', Object.keys(storageTypes).join(' or '), dtype);
  const type = storageTypes[dtype];
  if (model.adapter !== undefined) return saveAdapter(model, dir, type);
  const config = await configJson(model, dtype);
  const files = new Map<string, FileWriter>([
    ['model.safetensors', weightsWriter(model, model.parameters, type)],
    ['config.json', (path) => writeFile(path, config)],
  ]);
  const generation = await generationConfigWriter(model);
  if (generation !== undefined) files.set('generation_config.json', generation);
  // An adapter that lies in the folder is what is opened there until its adapter_config.json is gone.
  await replaceFiles(dir, files, [...(await adapterModelFiles(dir)), ...(await wholeModelFiles(dir))]);
}

/** Writes the folder's own generation_config.json, with the ids that a text may end with since; undefined: there is none. */
async function generationConfigWriter(model: SavableModel): Promise<FileWriter | undefined> {
  const source = join(model.dir, 'generation_config.json');
  const known = await readEosTokenIds(model.dir, model.config);
  const isSame = model.eosTokenIds.every((id) => known.includes(id));
  if (isSame) return existsSync(source) ? (path) => copyFile(source, path) : undefined;
  const { bos_token_id, pad_token_id } = model.config;
  const config = existsSync(source)
    ? await readJsonFile(source, 'MODEL_CONFIG_INVALID')
    : { bos_token_id, pad_token_id };
  const text = `${JSON.stringify({ ...config, eos_token_id: model.eosTokenIds }, null, 2)}\n`;
  return (path) => writeFile(path, text);
}

async function configJson(model: SavableModel, dtype: string): Promise<string> {
  // Before transformers 4.56 the key was torch_dtype.
  const { torch_dtype: _old, ...rest } = model.config;
  const config = { ...rest, dtype };
  const source = join(model.dir, 'config.json');
  return configText(config, existsSync(source) ? await readFile(source, 'utf8') : '{}');
}
