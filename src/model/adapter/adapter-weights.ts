import type { StoredTensor } from '../../engine/addon.js';
import { checkWeights } from '../files/check-weights.js';
import type { WeightFile } from '../files/find-weights.js';
import type { SavableModel } from '../files/savable-model.js';
import { textName, wholeName } from '../files/text-names.js';
import { readSafetensorsHeader } from '../files/safetensors-header.js';

/** What PEFT puts before the names of the model. */
const adapterPrefix = 'base_model.model.';

/** The weights of an adapter's file under the names of the engine, without PEFT's prefix. */
export async function readAdapterWeights(path: string): Promise<WeightFile> {
  const { tensors } = await readSafetensorsHeader(path);
  return { path, tensors: tensors.map((tensor) => ({ ...tensor, name: ownName(tensor.name) })) };
}

/** PEFT's name without what it wraps modules in. */
function ownName(name: string): string {
  const bare = name.startsWith(adapterPrefix) ? name.slice(adapterPrefix.length) : name;
  return textName(bare.replace(/(\.token_adapter)?\.base_layer\./, '.'));
}

/** What an adapter's file holds, under the names that PEFT gives it. */
export function storedAdapter(
  { adapter, parameters, isPart }: Pick<SavableModel, 'adapter' | 'parameters' | 'isPart'>,
  weights: readonly { name: string; shape: number[] }[],
): { name: string; fileName: string; shape: number[] }[] {
  const { targets, tokenTables, keepsTied } = adapter!;
  const own = new Set(parameters.map(({ name }) => name));
  const fileName = (name: string) => {
    const module = name.replace(/\.(weight|bias)$/, '');
    const kind = name.slice(module.length);
    if (!own.has(name)) return name;
    if (tokenTables.includes(module)) return `${module}.token_adapter.base_layer${kind}`;
    return targets.includes(module) ? `${module}.base_layer${kind}` : name;
  };
  const embedding = parameters[0]!.name;
  // PEFT writes a head that is tied to an embedding trained whole beside it.
  const head = weights
    .filter(({ name }) => keepsTied && name === embedding)
    .map((weight) => ({ ...weight, fileName: 'lm_head.weight' }));
  return [...weights.map((weight) => ({ ...weight, fileName: fileName(weight.name) })), ...head]
    .map(({ fileName: name, ...weight }) => ({
      ...weight,
      fileName: adapterPrefix + (isPart ? wholeName(name) : name),
    }))
    .sort((a, b) => (a.fileName < b.fileName ? -1 : 1));
}

/** The same file for a model whose head is its embedding: the head in it, if any, is the embedding. */
export function withTiedHead(file: WeightFile, embedding: string): WeightFile {
  const has = file.tensors.some(({ name }) => name === embedding);
  const tensors = file.tensors.flatMap((tensor) => {
    if (tensor.name !== 'lm_head.weight') return [tensor];
    return has ? [] : [{ ...tensor, name: embedding }];
  });
  return { ...file, tensors };
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
