import type { Precision, TrainingConfig } from '../../config/schema/parsed-config.js';
import type { CausalLM } from '../../model/causal-lm.js';
import { engineCall } from '../../engine/engine-call.js';
import { loadAddon } from '../../engine/load/load-addon.js';
import type { StartEvent } from '../../events/training-event.js';
import { engineTypes } from './engine-types.js';
import { layerRates } from './layer-rates.js';
import { isRowArray } from '../batches/is-row-array.js';
import { optimizerRequest } from './optimizer-request.js';
import { reportMemory } from '../memory/report-memory.js';
import type { TrainingRows } from '../batches/training-rows.js';

/** The facts about the engine in the start event. */
export type EngineReport = Pick<
  StartEvent,
  'device' | 'dtype' | 'threads' | 'parameters' | 'trainableParameters' | 'memory'
>;

/**
 * Makes the model ready to be trained: threads, types, a new optimizer; before that, whether it all fits.
 * @throws AdaptiveTrainerError OUT_OF_MEMORY
 */
export async function prepareEngine(
  model: CausalLM,
  rows: TrainingRows,
  args: TrainingConfig,
  precision: Precision,
): Promise<EngineReport> {
  const threads = await engineCall(() => loadAddon().setThreads({ threads: args.threads ?? 0 }));
  const memory = isRowArray(rows) ? await reportMemory(model, rows, args, precision) : undefined;
  const { computeType, masterType } = engineTypes(precision);
  await model.configure(computeType, args.gradientCheckpointing, masterType, args.neftuneNoiseAlpha ?? 0);
  const rates = layerRates(args, model.weightNames, model.decoder.layers.length, model.trainable);
  await model.call((native) => native.createOptimizer({ ...optimizerRequest(args), rates }));
  return {
    device: 'cpu',
    dtype: computeType,
    threads,
    parameters: model.parameterCount,
    ...(model.trainableCount === model.parameterCount ? {} : { trainableParameters: model.trainableCount }),
    ...(memory === undefined ? {} : { memory }),
  };
}
