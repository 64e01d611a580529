import type { NamedWeight, QuantizedWeight } from '../../engine/addon.js';
import { AdaptiveTrainerError } from '../../errors.js';
import { checkWeights } from '../files/check-weights.js';
import type { WeightFile } from '../files/find-weights.js';
import { separated, storedWeights } from '../files/stored-weights.js';
import { storedBits } from './quantization-config.js';
import type { QuantizationOptions } from './quantization.js';
import { asWholeWeights, readQuantized } from './stored-quantization.js';
import { weightsToQuantize } from './weights-to-quantize.js';

/** A model whose weights are about to be read. */
interface UnreadModel {
  dir: string;
  config: Readonly<Record<string, unknown>>;
  parameters: readonly NamedWeight[];
}

/**
 * Checks the files of a model against its weights and decides what is kept in fewer bits: what is stored so, or what is asked for.
 * @returns the files as the engine reads them
 * @throws AdaptiveTrainerError WEIGHTS_MISMATCH (all differences listed), MODEL_UNSUPPORTED, SAFETENSORS_INVALID; INVALID_INPUT for
 * other bits than those that are stored
 */
export async function filesToRead(
  { dir, config, parameters }: UnreadModel,
  files: readonly WeightFile[],
  asked: QuantizationOptions | undefined,
): Promise<{ files: readonly WeightFile[]; quantized: readonly QuantizedWeight[] }> {
  const bits = storedBits(config, dir);
  const whole = bits === undefined ? files : asWholeWeights(files, parameters);
  checkWeights(storedWeights(parameters), separated(whole, parameters));
  if (bits !== undefined && asked !== undefined && (asked.type === 'int8') !== (bits === 8))
    throw new AdaptiveTrainerError(
      'INVALID_INPUT',
      `Expected the ${bits} bits that the weights in ${dir} were quantised to, found ${asked.type ?? 'nf4'} asked for. Leave it out, or take the model that it was made of.`,
    );
  if (bits === undefined)
    return { files, quantized: asked === undefined ? [] : weightsToQuantize(parameters, asked) };
  const { weights, files: read } = await readQuantized(files);
  return { files: read, quantized: weights };
}
