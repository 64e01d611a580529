import { dirname } from 'node:path';
import { AdaptiveTrainerError } from '../../errors.js';
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
  const old = tensors.find(({ name }) => /\.experts\.\d+\./.test(name));
  if (old !== undefined)
    throw new AdaptiveTrainerError(
      'MODEL_UNSUPPORTED',
      `Expected what is added to the experts of a layer in one tensor, found ${old.name} in ${path}. Convert it in Python with transformers 5: PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), ${JSON.stringify(dirname(path))}).save_pretrained("converted"), and open "converted".`,
      { details: { path, found: old.name } },
    );
  return { path, tensors: tensors.map((tensor) => ({ ...tensor, name: ownName(tensor.name) })) };
}

/** PEFT's name without what it wraps modules in. */
function ownName(name: string): string {
  const bare = name.startsWith(adapterPrefix) ? name.slice(adapterPrefix.length) : name;
  return textName(bare.replace(/(\.token_adapter)?\.base_layer\.(?!lora_)/, '.'));
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
    if (tokenTables.includes(module)) return `${module}.token_adapter.base_layer${kind}`;
    if (!own.has(name)) return nameOfExperts(name, targets);
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

/** PEFT wraps the module of experts once for each weight of it: what lies inside carries the name of the wrapping. */
function nameOfExperts(name: string, targets: readonly string[]): string {
  const [, module, weight, added] = /^(.*\.experts)\.(gate_up_proj|down_proj)(\.lora_.*)$/.exec(name) ?? [];
  if (module === undefined) return name;
  const isInside = weight === 'gate_up_proj' && targets.includes(`${module}.down_proj`);
  return `${module}${isInside ? '.base_layer' : ''}${added}`;
}

/** The same file with what is added to the weights of experts under their own names. */
export function withExperts(file: WeightFile, targets: readonly string[]): WeightFile {
  const ownNames = new Map(
    targets.flatMap((target) =>
      ['lora_A', 'lora_B'].map((kind) => {
        const name = `${target}.${kind}.weight`;
        return [nameOfExperts(name, targets), name] as const;
      }),
    ),
  );
  const tensors = file.tensors.map((tensor) => ({
    ...tensor,
    name: ownNames.get(tensor.name) ?? tensor.name,
  }));
  return { ...file, tensors };
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
