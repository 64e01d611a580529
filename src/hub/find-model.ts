import { AdaptiveTrainerError } from '../errors.js';
import { chooseModelFiles } from './choose-model-files.js';
import type { DownloadModelOptions } from './download-model.js';
import { hubSettings } from './hub-settings.js';
import { HubSnapshot } from './hub-snapshot.js';
import { repoPage } from './repo-page.js';

/**
 * Finds a model on the Hub and which of its files training needs; brings none of them here.
 * @param name `owner/name`
 * @throws AdaptiveTrainerError HUB_FAILED; MODEL_UNSUPPORTED for one without safetensors; ABORTED
 */
export async function findModel(
  name: string,
  { settings = hubSettings(), revision, signal, onWarning }: DownloadModelOptions = {},
): Promise<{ snapshot: HubSnapshot; paths: string[] }> {
  const repo = { type: 'model', name } as const;
  const snapshot = await HubSnapshot.open({ settings, repo, revision, signal, onWarning });
  const paths = chooseModelFiles(snapshot.paths);
  if (paths.some((path) => path.endsWith('.safetensors'))) return { snapshot, paths };
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
