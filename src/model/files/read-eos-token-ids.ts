import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readJsonFile } from '../../common/read-json-file.js';

/** Ids that end a text: those of generation_config.json, else of config.json. */
export async function readEosTokenIds(dir: string, config: Record<string, unknown>): Promise<number[]> {
  const path = join(dir, 'generation_config.json');
  const generation = existsSync(path) ? await readJsonFile(path, 'MODEL_CONFIG_INVALID') : {};
  const ids = [generation['eos_token_id'] ?? config['eos_token_id']].flat();
  return ids.filter((id): id is number => Number.isSafeInteger(id));
}
