import type { DecoderConfig } from '../../engine/addon.js';
import { readModelConfig } from '../architecture/read-model-config.js';
import { embeddingName } from './embedding-name.js';
import { findWeights, type ModelFiles, type WeightFile } from './find-weights.js';
import { fullWeightNames } from './full-weight-names.js';
import { storedHead } from './stored-head.js';
import { textWeights } from './text-names.js';

/** A model as its files have it, before its weights are read. */
export interface StoredModel {
  /** config.json, with `tie_word_embeddings: false` where the head that is stored is one of its own. */
  config: Record<string, unknown>;
  decoder: DecoderConfig;
  /** Whether it is the text model in one that takes more than text. */
  isPart: boolean;
  /** Its weights, under the names that they have here. */
  files: readonly WeightFile[];
  /** Name of the embedding. */
  embedding: string;
}

/**
 * Reads config.json and the headers of the weights in a folder.
 * @param from.files what there is of it; default: what lies in the folder
 * @param from.isSameHead see storedHead()
 * @throws AdaptiveTrainerError MODEL_NOT_FOUND, MODEL_CONFIG_INVALID, MODEL_UNSUPPORTED, SAFETENSORS_INVALID
 */
export async function readStoredModel(
  dir: string,
  options: { ignoreDropout?: boolean },
  { files, isSameHead }: { files?: ModelFiles; isSameHead?: Parameters<typeof storedHead>[3] } = {},
): Promise<StoredModel> {
  const { config, decoder, isPart } = await readModelConfig(dir, options);
  const embedding = embeddingName(decoder);
  const all = await findWeights(dir, files);
  const named = fullWeightNames(isPart ? textWeights(all) : all, embedding);
  const head = await storedHead(named, embedding, decoder.tiedHead, isSameHead);
  // A checkpoint with a head of its own is saved as one.
  const isUntied = head.tied !== decoder.tiedHead;
  return {
    config: isUntied ? { ...config, tie_word_embeddings: false } : config,
    decoder: { ...decoder, tiedHead: head.tied },
    isPart,
    files: head.files,
    embedding,
  };
}
