import { AdaptiveTrainerError } from '../errors.js';
import { chooseModelFiles } from './choose-model-files.js';
import type { HubProgress } from './hub-progress.js';
import { hubSettings, type HubSettings } from './hub-settings.js';
import { HubSnapshot } from './hub-snapshot.js';
import { repoPage } from './repo-page.js';

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
  const { settings = hubSettings(), revision, signal, onProgress, onWarning } = options;
  const repo = { type: 'model', name } as const;
  const snapshot = await HubSnapshot.open({ settings, repo, revision, signal, onWarning });
  const chosen = chooseModelFiles(snapshot.paths);
  if (!chosen.some((path) => path.endsWith('.safetensors'))) {
    const weights = snapshot.paths.filter((path) =>
      /\.(bin|gguf|onnx|pt|pth|h5|msgpack|safetensors)$/.test(path),
    );
    throw new AdaptiveTrainerError(
      'MODEL_UNSUPPORTED',
      `Expected model.safetensors, or its shards, in "${name}" but it has ` +
        `${weights.length === 0 ? 'no weights' : weights.slice(0, 5).join(', ')}. Look at ` +
        `${repoPage(settings, repo)}; many models have a copy with safetensors under another name.`,
      { details: { repo: name, page: repoPage(settings, repo), found: weights } },
    );
  }
  const isNeeded = (path: string) => /^(config|tokenizer)\.json$|\.safetensors(\.index\.json)?$/.test(path);
  await snapshot.fetch(chosen, onProgress, isNeeded);
  return snapshot.dir;
}
