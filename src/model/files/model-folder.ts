import { existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { AdaptiveTrainerError } from '../../errors.js';
import { expectInput } from '../../common/expect-input.js';
import { downloadModel, type DownloadModelOptions } from '../../hub/models/download-model.js';
import { isHubName } from '../../common/is-hub-name.js';

/**
 * The folder of a model: the one that is named, else the model of that name on the Hub, brought into the cache.
 * @throws AdaptiveTrainerError MODEL_NOT_FOUND for a path where there is none; what `downloadModel` throws for a name
 */
export async function modelFolder(dirOrHubId: string, options: DownloadModelOptions = {}): Promise<string> {
  expectInput(typeof dirOrHubId === 'string', 'the model', 'the path of a folder', dirOrHubId);
  const dir = resolve(dirOrHubId);
  if (existsSync(dir) && statSync(dir).isDirectory()) return dir;
  if (!isHubName(dirOrHubId)) {
    throw new AdaptiveTrainerError(
      'MODEL_NOT_FOUND',
      `Expected a model folder, or the name of a model on the Hub (owner/name), but there is none at ${dir}.`,
      { details: { path: dir } },
    );
  }
  try {
    return await downloadModel(dirOrHubId, options);
  } catch (error) {
    // A path that was mistyped looks like a name: both readings are told.
    if (!AdaptiveTrainerError.isInstance(error, 'HUB_FAILED')) throw error;
    throw new AdaptiveTrainerError('HUB_FAILED', `${error.message} (There is no folder ${dir} either.)`, {
      details: { ...error.details, folder: dir },
    });
  }
}
