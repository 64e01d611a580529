import type { DownloadModelOptions } from '../../hub/models/download-model.js';
import { locateModel } from './located-model.js';

/**
 * The folder of a model: the one that is named, else the model of that name on the Hub, brought into the cache.
 * @throws AdaptiveTrainerError MODEL_NOT_FOUND for a path where there is none; what `downloadModel` throws for a name
 */
export async function modelFolder(dirOrHubId: string, options: DownloadModelOptions = {}): Promise<string> {
  const model = await locateModel(dirOrHubId, options);
  await model.fetch();
  return model.dir;
}
