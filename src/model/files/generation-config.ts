import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readJsonFile } from '../../common/read-json-file.js';
import { readEosTokenIds } from './read-eos-token-ids.js';
import type { SavableModel } from './savable-model.js';

/**
 * The generation_config.json to save with a model: that of its folder, with the ids that a text may end with since.
 *
 * @returns `text` undefined: there is none; `isChanged`: it says more than the folder's
 */
export async function generationConfig(
  model: SavableModel,
): Promise<{ text: string | undefined; isChanged: boolean }> {
  const source = join(model.dir, 'generation_config.json');
  const known = await readEosTokenIds(model.dir, model.config);
  if (model.eosTokenIds.every((id) => known.includes(id)))
    return { text: existsSync(source) ? await readFile(source, 'utf8') : undefined, isChanged: false };
  const { bos_token_id, pad_token_id } = model.config;
  const config = existsSync(source)
    ? await readJsonFile(source, 'MODEL_CONFIG_INVALID')
    : { bos_token_id, pad_token_id };
  const text = `${JSON.stringify({ ...config, eos_token_id: model.eosTokenIds }, null, 2)}\n`;
  return { text, isChanged: true };
}
