import type { Precision, TrainingConfig } from '../../config/schema/parsed-config.js';
import type { CausalLM } from '../../model/causal-lm.js';
import { engineCall } from '../../engine/engine-call.js';
import { loadAddon } from '../../engine/load/load-addon.js';
import type { Ranks } from '../../ranks/ranks.js';
import type { StartEvent } from '../../events/training-event.js';
import { engineTypes } from './engine-types.js';
import { layerRates } from './layer-rates.js';
import { isRowArray } from '../batches/is-row-array.js';
import { optimizerRequest } from './optimizer-request.js';
import { BlockKeeper } from '../memory/block-keeper.js';
import { pagingRequest } from '../memory/paged-states.js';
import { reportMemory, runMemory } from '../memory/report-memory.js';
import type { TrainingRows } from '../batches/training-rows.js';

/** The facts about the engine in the start event. */
export type EngineReport = Pick<
  StartEvent,
  'device' | 'dtype' | 'threads' | 'ranks' | 'parameters' | 'trainableParameters' | 'memory' | 'pagedStates'
>;

/**
 * Makes the model ready to be trained: threads, types, a new optimizer; before that, whether it all fits. `unpinned`: bytes of
 * paged states that the system did not pin.
 * @throws AdaptiveTrainerError OUT_OF_MEMORY
 */
export async function prepareEngine(
  model: CausalLM,
  rows: TrainingRows,
  args: TrainingConfig,
  precision: Precision,
  ranks: Ranks,
): Promise<{ report: EngineReport; keeper: BlockKeeper | undefined; unpinned: number }> {
  // What reading, opening and earlier runs left behind is neither counted as needed nor kept beside the steps.
  await engineCall(() => loadAddon().releaseMemory());
  const threads = await engineCall(() => loadAddon().setThreads({ threads: args.threads ?? 0 }));
  const { memory, largest } = isRowArray(rows) ? await reportMemory(model, rows, args, precision, ranks) : {};
  const { computeType, masterType } = engineTypes(precision);
  const recomputes = args.gradientCheckpointing !== false;
  await model.configure(computeType, recomputes, masterType, args.neftuneNoiseAlpha ?? 0);
  const rates = layerRates(args, model.weightNames, model.decoder.layers.length, model.trainable);
  const run = await runMemory(model, args, precision, ranks);
  const paging = pagingRequest(run, largest);
  const states = await model.call((native) =>
    native.createOptimizer({ ...optimizerRequest(args), ...paging, rates }),
  );
  const planned = memory?.keptBlocks && { kept: memory.keptBlocks.kept, tokens: largest!.tokens };
  const keeper =
    args.gradientCheckpointing === 'auto'
      ? new BlockKeeper(model, run, ranks.launch?.localSize ?? 1, planned)
      : undefined;
  const report = {
    device: model.device,
    dtype: computeType,
    threads,
    ...(ranks.size > 1 ? { ranks: ranks.size } : {}),
    parameters: model.parameterCount,
    ...(model.trainableCount === model.parameterCount ? {} : { trainableParameters: model.trainableCount }),
    ...(memory === undefined ? {} : { memory }),
    ...(states.paged > 0 ? { pagedStates: { held: states.held, paged: states.paged } } : {}),
  };
  return { report, keeper, unpinned: states.unpinned };
}
