import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { StorageType } from '../../engine/addon.js';
import { writeDurably } from '../../common/write-durably.js';
import type { SavableModel } from '../files/savable-model.js';
import { safetensorsHeader } from '../files/safetensors-header.js';
import { adapterConfigJson } from './adapter-config.js';
import { adapterPrefix, isTable } from './adapter-weights.js';

/** Writes adapter_config.json and adapter_model.safetensors as PEFT does, into a folder that is there. */
export async function saveAdapter(model: SavableModel, dir: string, dtype: StorageType): Promise<void> {
  const { config, base, revision, hasOwnVocabulary, trainable } = model.adapter!;
  const own = new Set(trainable.map(({ name }) => name));
  const tables = model.parameters.filter(({ name }) => hasOwnVocabulary && isTable(name) && !own.has(name));
  const stored = [...trainable, ...tables].sort((a, b) => (a.name < b.name ? -1 : 1));
  const header = safetensorsHeader(
    stored.map(({ name, shape }) => ({ name: adapterPrefix + name, shape, dtype })),
  );
  const names = stored.map(({ name }) => name);
  await writeDurably(join(dir, 'adapter_model.safetensors'), (path) =>
    model.call((native) => native.save({ path, header, names, dtype })),
  );
  const transposed = model.decoder.names === 'gpt2';
  const text = adapterConfigJson(config, { base, revision, transposed });
  await writeDurably(join(dir, 'adapter_config.json'), (path) => writeFile(path, text));
}
