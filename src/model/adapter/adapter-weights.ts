import type { StoredTensor } from '../../engine/addon.js';
import { checkWeights } from '../files/check-weights.js';
import type { WeightFile } from '../files/find-weights.js';
import { textName } from '../files/text-names.js';
import { readSafetensorsHeader } from '../files/safetensors-header.js';

/** What PEFT puts before the names of the model. */
export const adapterPrefix = 'base_model.model.';

/** The weights of an adapter's file under the names of the engine, without PEFT's prefix. */
export async function readAdapterWeights(path: string): Promise<WeightFile> {
  const { tensors } = await readSafetensorsHeader(path);
  return { path, tensors: tensors.map((tensor) => ({ ...tensor, name: ownName(tensor.name) })) };
}

function ownName(name: string): string {
  return textName(name.startsWith(adapterPrefix) ? name.slice(adapterPrefix.length) : name);
}

/**
 * Compares what an adapter needs with what its file holds. Whole embeddings may stand beside it: PEFT saves those whose
 * number of rows was changed.
 * @throws AdaptiveTrainerError WEIGHTS_MISMATCH listing every difference
 */
export function checkAdapterWeights(
  trainable: readonly { name: string; shape: number[] }[],
  model: readonly { name: string; shape: number[] }[],
  file: WeightFile,
): void {
  const embeddings = model.filter(({ name }) => isTable(name) && file.tensors.some((t) => t.name === name));
  const names = new Set(trainable.map(({ name }) => name));
  const extra = embeddings.filter(({ name }) => !names.has(name));
  checkWeights([...trainable, ...extra], [file], 'the adapter’s configuration');
}

/** A whole embedding or head. */
export function isTable(name: string): boolean {
  return /(^|\.)(embed_tokens|embed_in|wte|lm_head)\.weight$/.test(name);
}

/** Rows of the embedding that an adapter's file brings along; undefined where it brings none. */
export function adapterVocabulary(tensors: readonly StoredTensor[]): number | undefined {
  return tensors.find(({ name }) => isTable(name) && !name.startsWith('lm_head'))?.shape[0];
}
