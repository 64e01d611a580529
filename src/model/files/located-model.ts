import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { AdaptiveTrainerError } from '../../errors.js';
import { expectInput } from '../../common/expect-input.js';
import { isHubName } from '../../common/is-hub-name.js';
import { refuseOther } from '../../common/not-a-model.js';
import type { RemoteFile } from '../../hub/cache/hub-snapshot.js';
import {
  fetchConfig,
  fetchModel,
  findModel,
  type DownloadModelOptions,
  type HubModel,
} from '../../hub/models/download-model.js';
import { neitherFolder } from '../../hub/client/neither-folder.js';
import { filesIn, type ModelFiles } from './find-weights.js';
import { readHeaderFrom } from './safetensors-header.js';

/** A model that was found, whose weights may still be on the Hub. */
export interface LocatedModel {
  /** Holds config.json, or adapter_config.json, from the start. */
  readonly dir: string;
  readonly files: ModelFiles;
  /** Brings its files here: all, or those without which its weights are new. Nothing happens for a folder. */
  readonly fetch: (part?: 'all' | 'without weights') => Promise<void>;
}

/**
 * Finds the folder that is named, else the model of that name on the Hub, whose configuration is brought into the cache.
 * @throws AdaptiveTrainerError MODEL_NOT_FOUND for a path where there is none; HUB_FAILED; MODEL_UNSUPPORTED for one of the
 * Hub without safetensors; ABORTED, IO_FAILED
 */
export async function locateModel(
  dirOrHubId: string,
  options: DownloadModelOptions = {},
): Promise<LocatedModel> {
  expectInput(typeof dirOrHubId === 'string', 'the model', 'the path of a folder', dirOrHubId);
  const dir = resolve(dirOrHubId);
  if (existsSync(dir)) {
    refuseOther(dir);
    return modelIn(dir);
  }
  if (!isHubName(dirOrHubId)) {
    throw new AdaptiveTrainerError(
      'MODEL_NOT_FOUND',
      `Expected a model folder, or the name of a model on the Hub (owner/name), but there is none at ${dir}.`,
      { details: { path: dir } },
    );
  }
  try {
    return await modelOnHub(await findModel(dirOrHubId, options), options);
  } catch (error) {
    throw neitherFolder(error, dir);
  }
}

/** The model in a folder. */
export function modelIn(dir: string): LocatedModel {
  return { dir, files: filesIn(dir), fetch: async () => {} };
}

/** A model of the Hub, with its configuration here. */
export async function modelOnHub(
  model: HubModel,
  { onProgress }: Pick<DownloadModelOptions, 'onProgress'> = {},
): Promise<LocatedModel> {
  const { snapshot } = model;
  await fetchConfig(snapshot);
  const { dir } = snapshot;
  const files: ModelFiles = {
    has: (name) => snapshot.paths.includes(name),
    async tensors(name) {
      const remote = await snapshot.remoteFile(name);
      if (remote === undefined) return filesIn(dir).tensors(name);
      return (await readHeaderFrom(withReadAhead(remote), join(dir, name))).tensors;
    },
  };
  return {
    dir,
    files: snapshot.isOnline ? files : filesIn(dir),
    fetch: (part = 'all') => fetchModel(model, { onProgress, needsWeights: part === 'all' }),
  };
}

const readAhead = 1 << 16; // bytes; the length of a header and most headers come in one answer

function withReadAhead({ size, read }: RemoteFile): RemoteFile {
  let first: Promise<Buffer> | undefined;
  return {
    size,
    async read(position, length) {
      if (position + length > readAhead) return read(position, length);
      return (await (first ??= read(0, Math.min(size, readAhead)))).subarray(position, position + length);
    },
  };
}
