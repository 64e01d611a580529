import { existsSync } from 'node:fs';
import path from 'node:path';
import type { NativeCollectives } from '../addon.js';
import { chooseBinaries, loadRanksLibrary } from '../load/load-addon.js';
import { findCudaPlugin, pluginPlaces } from './cuda-plugin.js';

const fileName = 'adaptive_trainer_nccl.so';

/**
 * What ranks on GPUs sum over: NCCL, from the library beside the plugin that openDevice() has loaded; or why there is none. A machine
 * with GPUs may well have a libtorch without NCCL, so that is no error.
 */
export function deviceCollectives(env: NodeJS.ProcessEnv = process.env): NativeCollectives | string {
  const places = pluginPlaces(chooseBinaries().addon, env);
  const file = path.join(path.dirname(findCudaPlugin(places)?.file ?? places[0]!), fileName);
  if (!existsSync(file))
    return `there is no ${file}, which \`npm run build:cuda\` builds where nccl.h is (docs/cuda.md)`;
  try {
    return loadRanksLibrary().deviceCollectives({ file });
  } catch (error) {
    return `${file} cannot be used (${(error as Error).message})`;
  }
}
