import { join } from 'node:path';
import type { FromPretrainedOptions } from '../from-pretrained-options.js';
import { readDecoderConfig } from './read-decoder-config.js';
import { readJsonFile } from '../../common/read-json-file.js';

/** config.json of a model folder, as it is and as the engine takes it. */
export async function readModelConfig(dir: string, options: FromPretrainedOptions) {
  const path = join(dir, 'config.json');
  const config = await readJsonFile(path, 'MODEL_CONFIG_INVALID');
  return { config, decoder: readDecoderConfig(config, path, options) };
}
