import { findModel } from './find-model.js';
import type { HubProgress } from './hub-progress.js';
import type { HubSettings } from './hub-settings.js';

/** How to download. */
export interface DownloadModelOptions {
  /** Branch, tag or commit. Default `main`. */
  revision?: string | undefined;
  /** Default: those of the environment. */
  settings?: HubSettings | undefined;
  onProgress?: ((progress: HubProgress) => void) | undefined;
  onWarning?: ((message: string) => void) | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Downloads a model of the Hub into the shared cache, as far as it is not there.
 * @param name `owner/name`
 * @returns the folder of its files
 * @throws AdaptiveTrainerError HUB_FAILED; MODEL_UNSUPPORTED for one without safetensors; ABORTED, IO_FAILED
 */
export async function downloadModel(name: string, options: DownloadModelOptions = {}): Promise<string> {
  const { snapshot, paths } = await findModel(name, options);
  const isNeeded = (path: string) => /^(config|tokenizer)\.json$|\.safetensors(\.index\.json)?$/.test(path);
  await snapshot.fetch(paths, options.onProgress, isNeeded);
  return snapshot.dir;
}
