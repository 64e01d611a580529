import { existsSync } from 'node:fs';
import { copyFile, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { StorageType } from '../../engine/addon.js';
import { expectInput } from '../../common/expect-input.js';
import { makeFolder, writeDurably } from '../../common/write-durably.js';
import { safetensorsHeader } from './safetensors-header.js';
import { saveAdapter } from '../adapter/save-adapter.js';
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
  await makeFolder(dir);
  const type = storageTypes[dtype];
  if (model.adapter !== undefined) return saveAdapter(model, dir, type);
  const header = safetensorsHeader(model.parameters.map(({ name, shape }) => ({ name, shape, dtype: type })));
  const names = model.parameters.map(({ name }) => name);
  await writeDurably(join(dir, 'model.safetensors'), (path) =>
    model.call((native) => native.save({ path, header, names, dtype: type })),
  );
  const config = await configJson(model, dtype);
  await writeDurably(join(dir, 'config.json'), (path) => writeFile(path, config));
  const generation = join(model.dir, 'generation_config.json');
  if (existsSync(generation)) {
    await writeDurably(join(dir, 'generation_config.json'), (path) => copyFile(generation, path));
  }
  // Shards of a model saved here before would shadow or contradict the single file.
  await rm(join(dir, 'model.safetensors.index.json'), { force: true });
}

async function configJson(model: SavableModel, dtype: string): Promise<string> {
  // Before transformers 4.56 the key was torch_dtype.
  const { torch_dtype: _old, ...rest } = model.config;
  const config = { ...rest, dtype };
  const source = join(model.dir, 'config.json');
  return configText(config, existsSync(source) ? await readFile(source, 'utf8') : '{}');
}
