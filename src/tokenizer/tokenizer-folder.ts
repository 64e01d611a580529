import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { DownloadModelOptions } from '../hub/models/download-model.js';
import { downloadSnapshot } from '../hub/cache/download-snapshot.js';
import { neitherFolder } from '../hub/client/neither-folder.js';
import { hubSettings } from '../common/hub-settings.js';
import { isHubName } from '../common/is-hub-name.js';
import { tokenizerFileNames } from '../hub/models/tokenizer-file-names.js';
import { adapterBase, isAdapterFolder } from '../common/adapter-folder.js';
import { refuseOther } from '../common/not-a-model.js';
import { readJsonFile } from '../common/read-json-file.js';

/** The folder of a tokenizer: the one that is named, else that of a model of that name on the Hub, without its weights.
 * An adapter without one has its base's. */
export async function tokenizerFolder(
  dirOrHubId: string,
  { settings = hubSettings(), ...options }: DownloadModelOptions = {},
): Promise<string> {
  const dir = await ownFolder(dirOrHubId, { settings, ...options });
  // Python's peft saves an adapter without the tokenizer, which is then its base's.
  if (!isAdapterFolder(dir) || existsSync(join(dir, 'tokenizer.json'))) return dir;
  const config = await readJsonFile(join(dir, 'adapter_config.json'), 'MODEL_CONFIG_INVALID');
  const name = config['base_model_name_or_path'];
  const base = typeof name === 'string' ? name : undefined;
  const revision = typeof config['revision'] === 'string' ? config['revision'] : undefined;
  return ownFolder(adapterBase({ dir, base }), { ...options, settings, revision });
}

async function ownFolder(
  dirOrHubId: string,
  { settings = hubSettings(), ...options }: DownloadModelOptions,
): Promise<string> {
  const dir = resolve(dirOrHubId);
  if (existsSync(dir) || !isHubName(dirOrHubId)) {
    if (!existsSync(join(dir, 'tokenizer.json'))) refuseOther(dir);
    return dir;
  }
  const repo = { type: 'model', name: dirOrHubId } as const;
  return downloadSnapshot({ ...options, settings, repo, allowPatterns: tokenizerFileNames }).catch(
    (error: unknown) => {
      throw neitherFolder(error, dir);
    },
  );
}
