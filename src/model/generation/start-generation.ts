import { throwIfAborted } from '../../common/throw-if-aborted.js';
import { expectInput } from '../../common/expect-input.js';
import type { FlatBatch, NativeModel } from '../../engine/addon.js';
import { engineCall } from '../../engine/engine-call.js';
import type { GenerateOptions } from './generate-options.js';

/**
 * The steps of a generation: each holds one token per row, -1 for a row that has ended.
 *
 * @param eosTokenIds what ends a row unless the options say
 * @throws AdaptiveTrainerError INVALID_INPUT for an option out of range, before the first step
 */
export function startGeneration(
  native: NativeModel,
  prompts: FlatBatch,
  options: GenerateOptions,
  eosTokenIds: readonly number[],
): () => AsyncGenerator<Int32Array, void, undefined> {
  const { maxNewTokens, temperature = 0, topK = 0, topP = 1, repetitionPenalty = 1, seed = 0 } = options;
  const whole = (value: number, least: number) => Number.isSafeInteger(value) && value >= least;
  expectInput(whole(maxNewTokens, 1), 'maxNewTokens', 'a whole number, 1 or more', maxNewTokens);
  const usable = Number.isFinite(temperature) && temperature >= 0;
  expectInput(usable, 'temperature', 'a number, 0 or more', temperature);
  expectInput(whole(topK, 0), 'topK', 'a whole number, 0 or more', topK);
  expectInput(topP > 0 && topP <= 1, 'topP', 'a number above 0, at most 1', topP);
  const penalises = Number.isFinite(repetitionPenalty) && repetitionPenalty > 0;
  expectInput(penalises, 'repetitionPenalty', 'a number above 0', repetitionPenalty);
  expectInput(whole(seed, 0), 'seed', 'a whole number, 0 or more', seed);
  const stopTokenIds = Int32Array.from(options.stopTokenIds ?? eosTokenIds);
  const { signal } = options;
  return async function* () {
    const session = await engineCall(() =>
      native.startGeneration({ ...prompts, temperature, topK, topP, repetitionPenalty, seed, stopTokenIds }),
    );
    try {
      for (let count = 0; count < maxNewTokens; count++) {
        throwIfAborted(signal, 'The generation was aborted.');
        const { tokens, ended } = await engineCall(() => native.nextTokens(session));
        yield tokens;
        if (ended) return;
      }
    } finally {
      await engineCall(() => native.endGeneration(session));
    }
  };
}
