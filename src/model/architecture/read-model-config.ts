import { join } from 'node:path';
import type { FromPretrainedOptions } from '../from-pretrained-options.js';
import { readDecoderConfig } from './read-decoder-config.js';
import { holdsTextModel, textConfig } from './text-model.js';
import { readJsonFile } from '../../common/read-json-file.js';

/**
 * config.json of a model folder, as it is and as the engine takes it. Of a model that takes more than text (`isPart`) it is
 * that of its text model.
 */
export async function readModelConfig(dir: string, options: FromPretrainedOptions) {
  const path = join(dir, 'config.json');
  const stated = await readJsonFile(path, 'MODEL_CONFIG_INVALID');
  const config = textConfig(stated, path);
  return { config, decoder: readDecoderConfig(config, path, options), isPart: holdsTextModel(stated) };
}
