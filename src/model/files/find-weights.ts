import { existsSync } from 'node:fs';
import { join } from 'node:path';
import pLimit from 'p-limit';
import { withinLimit } from '../../common/bounded-json.js';
import { firstOf } from '../../common/first-of.js';
import { AdaptiveTrainerError } from '../../errors.js';
import type { StoredTensor } from '../../engine/addon.js';
import { readJsonFile } from '../../common/read-json-file.js';
import { readSafetensorsHeader } from './safetensors-header.js';

export interface WeightFile {
  path: string;
  tensors: StoredTensor[];
}

/** The files of a model, some of which may still be on the Hub. */
export interface ModelFiles {
  has: (name: string) => boolean;
  /** The checked tensors of a safetensors file. */
  tensors: (name: string) => Promise<StoredTensor[]>;
}

/** The files of a folder. */
export function filesIn(dir: string): ModelFiles {
  return {
    has: (name) => existsSync(join(dir, name)),
    tensors: async (name) => (await readSafetensorsHeader(join(dir, name))).tensors,
  };
}

/**
 * The weight files of a model folder with their checked headers: model.safetensors, or the shards that
 * model.safetensors.index.json lists.
 *
 * @param files what there is; the index lies in `dir` in any case
 * @throws AdaptiveTrainerError MODEL_NOT_FOUND (no weights, or shards missing: all are named), SAFETENSORS_INVALID,
 * MODEL_UNSUPPORTED for a folder that has only pickled weights
 */
export async function findWeights(dir: string, files: ModelFiles = filesIn(dir)): Promise<WeightFile[]> {
  const single = 'model.safetensors';
  const index = join(dir, 'model.safetensors.index.json');
  if (files.has(single)) return [{ path: join(dir, single), tensors: await files.tensors(single) }];
  if (existsSync(index)) return readShards(dir, index, files);
  const pickled = join(dir, 'pytorch_model.bin');
  if (existsSync(pickled) || existsSync(`${pickled}.index.json`)) {
    throw new AdaptiveTrainerError(
      'MODEL_UNSUPPORTED',
      `Expected safetensors in ${dir}, found pickled weights (pytorch_model.bin), which can run code when opened. ` +
        'Convert them in Python: AutoModelForCausalLM.from_pretrained(dir).save_pretrained(dir, safe_serialization=True).',
      { details: { dir } },
    );
  }
  throw new AdaptiveTrainerError(
    'MODEL_NOT_FOUND',
    `Expected model.safetensors or model.safetensors.index.json in ${dir}, found neither. To train new weights, say so: trainingConfig.fromScratch, or CausalLM.fromConfig().`,
    { details: { dir } },
  );
}

async function readShards(dir: string, index: string, files: ModelFiles): Promise<WeightFile[]> {
  const { weight_map: map } = await readJsonFile(index, 'SAFETENSORS_INVALID');
  if (typeof map !== 'object' || map === null) {
    throw new AdaptiveTrainerError('SAFETENSORS_INVALID', `Expected a weight_map in ${index}, found none.`);
  }
  const names = [...new Set(Object.values(map as Record<string, string>))].sort();
  withinLimit('shards', names.length, 'shards', index, 'SAFETENSORS_INVALID');
  for (const name of names) checkShardName(name, index);
  const missing = names.filter((name) => !files.has(name));
  if (missing.length > 0) {
    throw new AdaptiveTrainerError(
      'MODEL_NOT_FOUND',
      `Expected ${names.length} shards in ${dir} as ${index} lists them, missing: ${firstOf(missing)}.`,
      { details: { dir, missing } },
    );
  }
  const atOnce = pLimit(8);
  return atOnce.map(names, async (name) => ({ path: join(dir, name), tensors: await files.tensors(name) }));
}

// An index comes with the model; it must not point outside its folder.
function checkShardName(name: unknown, index: string): void {
  if (typeof name === 'string' && /^[\w.-]+$/.test(name) && !name.startsWith('.')) return;
  throw new AdaptiveTrainerError(
    'SAFETENSORS_INVALID',
    `Expected plain file names in the weight_map of ${index}, found ${JSON.stringify(name)}.`,
  );
}
