import { AdaptiveTrainerError } from '../../errors.js';
import { join } from 'node:path';
import { withinLimit } from '../../common/bounded-json.js';
import { readJsonFile } from '../../common/read-json-file.js';
import { HubSnapshot } from '../cache/hub-snapshot.js';
import { repoPage } from '../client/hub-repo.js';
import type { HubProgress } from '../../events/hub-progress.js';
import { hubSettings, type HubSettings } from '../../common/hub-settings.js';
import { tokenizerFileNames } from './tokenizer-file-names.js';

/** How to download. */
export interface DownloadModelOptions {
  /** Branch, tag or commit. Default `main`. */
  revision?: string | undefined;
  /** Default: those of the environment. */
  settings?: HubSettings | undefined;
  onProgress?: ((progress: HubProgress) => void) | undefined;
  onWarning?: ((message: string) => void) | undefined;
  signal?: AbortSignal | undefined;
  /** False for a model that gets new weights: then one without any is found too. Default true. */
  needsWeights?: boolean | undefined;
}

/** A model on the Hub, and which of its files training needs. */
export interface HubModel {
  snapshot: HubSnapshot;
  paths: readonly string[];
}

/**
 * Downloads a model of the Hub into the shared cache, as far as it is not there.
 * @param name `owner/name`
 * @returns the folder of its files
 * @throws AdaptiveTrainerError HUB_FAILED; MODEL_UNSUPPORTED for one without safetensors; ABORTED, IO_FAILED
 */
export async function downloadModel(name: string, options: DownloadModelOptions = {}): Promise<string> {
  const model = await findModel(name, options);
  await fetchModel(model, options);
  return model.snapshot.dir;
}

/**
 * Brings the files of a model into the cache, as far as they are not there. Without its weights it is not whole, and does
 * not become what a run without network finds.
 */
export async function fetchModel(
  { snapshot, paths }: HubModel,
  { onProgress, needsWeights = true }: DownloadModelOptions = {},
): Promise<void> {
  const isWanted = (path: string) => needsWeights || !path.endsWith('.safetensors');
  const isNeeded = (path: string) => /^(config|tokenizer)\.json$|\.safetensors(\.index\.json)?$/.test(path);
  await snapshot.fetch(paths.filter(isWanted), onProgress, isNeeded, needsWeights);
}

/**
 * Finds a model on the Hub and which of its files training needs; brings none of them here.
 * @param name `owner/name`
 * @throws AdaptiveTrainerError HUB_FAILED; MODEL_UNSUPPORTED for one without safetensors; ABORTED
 */
export async function findModel(
  name: string,
  { settings = hubSettings(), revision, signal, onWarning, needsWeights = true }: DownloadModelOptions = {},
): Promise<HubModel> {
  const repo = { type: 'model', name } as const;
  const snapshot = await HubSnapshot.open({ settings, repo, revision, signal, onWarning });
  const paths = chooseModelFiles(snapshot.paths, await listedShards(snapshot));
  if (!needsWeights || paths.some((path) => path.endsWith('.safetensors'))) return { snapshot, paths };
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

/** Brings the configuration of a model, or of an adapter, alone. @returns the folder */
export async function fetchConfig(snapshot: HubSnapshot): Promise<string> {
  const names = ['config.json', 'adapter_config.json'].filter((name) => snapshot.paths.includes(name));
  await snapshot.fetch(names, undefined, undefined, false);
  return snapshot.dir;
}

/** The shards that a repository's index lists, which is brought here for it. */
async function listedShards(snapshot: HubSnapshot): Promise<string[]> {
  if (!isSharded(snapshot.paths)) return [];
  await snapshot.fetch([weightIndex], undefined, undefined, false);
  const path = join(snapshot.dir, weightIndex);
  const { weight_map: map } = await readJsonFile(path, 'SAFETENSORS_INVALID');
  const names = typeof map === 'object' && map !== null ? Object.values(map as Record<string, unknown>) : [];
  const shards = [...new Set(names.filter((name) => typeof name === 'string'))];
  withinLimit('shards', shards.length, 'shards', path, 'SAFETENSORS_INVALID');
  return shards;
}

/** Lists the shards of a model. */
const weightIndex = 'model.safetensors.index.json';

/**
 * The files of a model's repository that training needs: configuration, tokenizer, chat template and the safetensors, of
 * those one set only (`model.safetensors`, else the shards that the index lists). No pickled, ONNX or GGUF weights, and no
 * second copy such as `consolidated.safetensors` or `model.fp16.safetensors`.
 *
 * @param shards what the index lists
 */
function chooseModelFiles(paths: readonly string[], shards: readonly string[] = []): string[] {
  const own = paths.filter((path) => tokenizerFileNames.includes(path));
  if (paths.includes('adapter_config.json'))
    return [...own, ...paths.filter((path) => path === 'adapter_model.safetensors')];
  const wanted = paths.includes('model.safetensors') ? ['model.safetensors'] : [weightIndex, ...shards];
  return [...own, ...paths.filter((path) => path === 'generation_config.json' || wanted.includes(path))];
}

/** Whether the weights are those that an index lists. */
function isSharded(paths: readonly string[]): boolean {
  const others = ['model.safetensors', 'adapter_config.json'];
  return paths.includes(weightIndex) && !others.some((name) => paths.includes(name));
}
