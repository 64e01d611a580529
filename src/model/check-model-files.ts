import { adapterBase, isAdapterFolder } from '../common/adapter-folder.js';
import type { DecoderConfig } from '../engine/addon.js';
import { engineCall } from '../engine/engine-call.js';
import { findAdapter, refuseSecondAdapter } from './adapter/find-adapter.js';
import type { AdaptedModel } from './adapter/low-rank-target.js';
import { readModelConfig } from './architecture/read-model-config.js';
import type { DownloadModelOptions } from '../hub/models/download-model.js';
import { createModel } from './create-model.js';
import { checkWeights } from './files/check-weights.js';
import { locateModel, type LocatedModel } from './files/located-model.js';
import { readStoredModel } from './files/stored-model.js';
import { separated, storedWeights } from './files/stored-weights.js';
import { storedBits } from './quantization/quantization-config.js';
import { asWholeWeights } from './quantization/stored-quantization.js';
import { rotaryPositions } from './rotary-positions.js';
import { weightNames, type WeightNames } from './weight-patterns.js';

const nothing = { weights: undefined, adapted: undefined };

/** How a model is checked. */
export interface CheckModelOptions extends DownloadModelOptions {
  /** Train without the dropout that config.json asks for. Default false: with it. */
  ignoreDropout?: boolean;
}

/** What is known of a model before its weights are read. */
export interface CheckedModel {
  /** What config.json says, an adapter's base's. */
  decoder: DecoderConfig;
  /** The folder of the model, or of an adapter's base. */
  baseDir: string;
  /** Whether the folder that was asked for is an adapter's. */
  isAdapter: boolean;
  /** Whether the base is stored in 4 or 8 bits. */
  isQuantized: boolean;
  /** See `rotaryPositions`. */
  positions: number | undefined;
  /** Names of the weights; undefined where they were not looked at, and for an adapter. */
  weights: WeightNames | undefined;
  /** What an adapter would be put on; undefined in the same cases. */
  adapted: AdaptedModel | undefined;
}

/**
 * Checks what can be known of a model without reading its weights: that config.json, or adapter_config.json, can be
 * computed, and that the headers of the weights have every tensor in its shape. An adapter's base is looked for and checked
 * too. Of a model on the Hub the headers alone are read.
 *
 * @throws AdaptiveTrainerError what opening the model would throw for these
 */
export async function checkModelFiles(
  { dir, files }: LocatedModel,
  options: CheckModelOptions = {},
): Promise<CheckedModel> {
  const { ignoreDropout = false, needsWeights = true } = options;
  if (isAdapterFolder(dir)) {
    const { base, revision } = await findAdapter(dir, { needsWeights, files });
    const model = await locateModel(adapterBase({ dir, base }), { ...options, revision });
    refuseSecondAdapter(model.dir);
    return { ...(await checkModelFiles(model, options)), isAdapter: true, ...nothing };
  }
  const { config, decoder, isPart } = await readModelConfig(dir, { ignoreDropout });
  const isQuantized = storedBits(config, dir) !== undefined;
  const positions = rotaryPositions(config, decoder);
  const checked = { decoder, baseDir: dir, isAdapter: false, isQuantized, positions, ...nothing };
  if (!needsWeights) return checked;
  // A head beside a tied embedding has its shape, whatever its values make of it.
  const stored = await readStoredModel(dir, { ignoreDropout }, { files, isSameHead: async () => false });
  const { tiedHead, names } = stored.decoder;
  // Memory that was never written is not taken.
  const native = await createModel(stored.decoder);
  try {
    const parameters = await engineCall(() => native.parameters());
    const whole = isQuantized ? asWholeWeights(stored.files, parameters) : stored.files;
    checkWeights(storedWeights(parameters), separated(whole, parameters));
    const modelType = config['model_type'];
    return {
      ...checked,
      weights: weightNames(parameters, tiedHead),
      adapted: { parameters, modelType, tiedHead, transposed: names === 'gpt2', isPart },
    };
  } finally {
    native.dispose();
  }
}
