import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { DownloadModelOptions } from '../hub/download-model.js';
import { downloadSnapshot } from '../hub/download-snapshot.js';
import { hubSettings } from '../hub/hub-settings.js';
import { isHubName } from '../hub/is-hub-name.js';
import { tokenizerFileNames } from '../hub/tokenizer-file-names.js';

/** The folder of a tokenizer: the one that is named, else that of a model of that name on the Hub, without its weights. */
export async function tokenizerFolder(
  dirOrHubId: string,
  { settings = hubSettings(), ...options }: DownloadModelOptions = {},
): Promise<string> {
  const dir = resolve(dirOrHubId);
  if (existsSync(dir) || !isHubName(dirOrHubId)) return dir;
  const repo = { type: 'model', name: dirOrHubId } as const;
  return downloadSnapshot({ ...options, settings, repo, allowPatterns: tokenizerFileNames });
}
