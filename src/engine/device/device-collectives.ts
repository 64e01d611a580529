import { existsSync } from 'node:fs';
import type { NativeCollectives } from '../addon.js';
import { chooseBinaries, loadRanksLibrary } from '../load/load-addon.js';
import { findCudaPlugin } from './cuda-plugin.js';
import { collectivesBeside } from './nccl.js';

/**
 * What ranks on GPUs sum over: NCCL, from the library beside the plugin that openDevice() has loaded; or why there is none. A machine
 * with GPUs may well have a libtorch without NCCL, so that is no error.
 */
export function deviceCollectives(env: NodeJS.ProcessEnv = process.env): NativeCollectives | string {
  const { plugin, places, fix } = findCudaPlugin(chooseBinaries().addon, env);
  const file = collectivesBeside(plugin?.file ?? places[0]!);
  if (!existsSync(file)) return `there is no ${file}; what helps: ${fix}`;
  try {
    return loadRanksLibrary().deviceCollectives({ file });
  } catch (error) {
    return `${file} cannot be used (${(error as Error).message})`;
  }
}
