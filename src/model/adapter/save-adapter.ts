import { realpath, writeFile } from 'node:fs/promises';
import type { PeftConfig } from '../../config/schema/parsed-config.js';
import type { StorageType } from '../../engine/addon.js';
import { replaceFiles, type FileWriter } from '../../common/replace-files.js';
import { AdaptiveTrainerError } from '../../errors.js';
import { generationConfig } from '../files/generation-config.js';
import { adapterModelFiles, wholeModelFiles } from '../files/model-forms.js';
import type { SavableModel } from '../files/savable-model.js';
import { wholeName } from '../files/text-names.js';
import { weightsWriter } from '../files/weights-writer.js';
import { adapterConfigJson } from './adapter-config.js';
import { isTable, storedAdapter } from './adapter-weights.js';
import { endsWithModule } from './module-patterns.js';
import { plainAdapter } from './plain-adapter.js';

/**
 * Writes adapter_config.json and adapter_model.safetensors as PEFT does, and generation_config.json where texts end with
 * more tokens than the base model's. A whole model in the folder is deleted.
 * @throws AdaptiveTrainerError INVALID_INPUT for the folder of the base model
 */
export async function saveAdapter(
  model: SavableModel,
  dir: string,
  dtype: StorageType,
  plainLora = true,
): Promise<void> {
  await refuseBaseFolder(model.dir, dir);
  const { config, base, revision, hasOwnVocabulary, trainable } = model.adapter!;
  const trained = new Set(trainable.map(({ name }) => name));
  const tables = model.parameters.filter(
    ({ name }) => hasOwnVocabulary && isTable(name) && !trained.has(name),
  );
  const saved = plainLora ? plainAdapter(config) : undefined;
  const shaped = trainable.map(saved?.reshaped ?? ((weight) => weight));
  const stored = storedAdapter(model, [...shaped, ...tables]);
  const transposed = model.decoder.names === 'gpt2';
  const own = saved?.config ?? config;
  const text = adapterConfigJson(model.isPart ? ofTextModel(own, model) : own, {
    base,
    revision,
    transposed,
  });
  const files = new Map<string, FileWriter>([
    ['adapter_model.safetensors', weightsWriter(model, stored, dtype, saved !== undefined)],
    // From here on the folder is an adapter's.
    ['adapter_config.json', (path) => writeFile(path, text)],
  ]);
  // PEFT writes none; without it, the base would not be known to stop there with this adapter.
  const generation = await generationConfig(model);
  if (generation.isChanged) files.set('generation_config.json', (path) => writeFile(path, generation.text!));
  await replaceFiles(dir, files, [...(await adapterModelFiles(dir)), ...(await wholeModelFiles(dir))]);
}

/** Names of modules alone would be found in what sees, too. */
function ofTextModel(config: PeftConfig, { parameters, adapter }: SavableModel): PeftConfig {
  const { targetModules, targetParameters, layersToTransform } = config;
  const whole = parameters.map(({ name }) => wholeName(name));
  const named = {
    ...config,
    targetParameters:
      targetParameters && whole.filter((name) => targetParameters.some((one) => endsWithModule(name, one))),
  };
  if (!Array.isArray(targetModules) || targetModules.length === 0) return named;
  // PEFT takes no expression beside layers to transform.
  if ((layersToTransform ?? []).length > 0) {
    const isNamed = (module: string) => targetModules.some((name) => endsWithModule(module, name));
    const modules = adapter!.targets.filter(isNamed).map(wholeName);
    return { ...named, targetModules: modules, layersToTransform: null, layersPattern: null };
  }
  const names = targetModules.map((name) => name.replaceAll('.', '\\.'));
  return {
    ...named,
    targetModules: `(?!(?:.*\\.)?(?:vision_tower|multi_modal_projector)\\.)(?:.*\\.)?(?:${names.join('|')})`,
  };
}

/**
 * Saved over its base, an adapter would be without one.
 * @param base the folder of the base model
 * @param dir where the adapter is to be saved
 * @throws AdaptiveTrainerError INVALID_INPUT where they are the same
 */
export async function refuseBaseFolder(base: string, dir: string): Promise<void> {
  const real = (path: string) => realpath(path).catch(() => undefined);
  const [one, other] = await Promise.all([real(base), real(dir)]);
  if (one === undefined || one !== other) return;
  throw new AdaptiveTrainerError(
    'INVALID_INPUT',
    `Expected another folder than that of the base model to save its adapter in, found ${dir}. Choose another folder (outputDir, for a run), or merge the adapter first (mergeAdapter()).`,
    { details: { dir } },
  );
}
