import type { DecoderConfig, NativeModel } from '../engine/addon.js';
import { engineCall } from '../engine/engine-call.js';
import { loadAddon } from '../engine/load/load-addon.js';
import { AdaptiveTrainerError } from '../errors.js';

/**
 * A model of the engine, on a device that openDevice() has opened, whose weights are not yet read. Its memory is lent by the system, and taken as it is written.
 * @throws AdaptiveTrainerError OUT_OF_MEMORY with the sizes, where the system does not even lend it; MODEL_CONFIG_INVALID
 */
export async function createModel(decoder: DecoderConfig, device = 'cpu'): Promise<NativeModel> {
  try {
    return await engineCall(async () => loadAddon().createModel(decoder, device));
  } catch (cause) {
    if (!AdaptiveTrainerError.isInstance(cause) || cause.code !== 'OUT_OF_MEMORY') throw cause;
    const { vocabSize, hiddenSize, intermediateSize, heads, headDim, layers } = decoder;
    throw new AdaptiveTrainerError(
      'OUT_OF_MEMORY',
      `Expected memory for the model that config.json describes (vocab_size ${vocabSize}, hidden_size ${hiddenSize}, ` +
        `intermediate_size ${intermediateSize}, ${heads} heads of ${headDim}, ${layers.length} layers), found that this ` +
        'machine has less. Where the files with the weights are smaller, config.json is not theirs.',
      { cause },
    );
  }
}
