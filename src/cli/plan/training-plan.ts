import { isAdapterFolder } from '../../common/adapter-folder.js';
import type { MemoryReport } from '../../events/memory-report.js';
import type { ParsedConfig, PeftConfig, Precision } from '../../config/schema/parsed-config.js';
import type { MixedDatasets } from '../../data/mix/mixed-datasets.js';
import type { DecoderConfig } from '../../engine/addon.js';
import { findAdapter } from '../../model/adapter/find-adapter.js';
import { CausalLM } from '../../model/causal-lm.js';
import { checkModelFiles } from '../../model/check-model-files.js';
import { valuesTakenOut } from '../../model/adapter/plain-adapter.js';
import { locateModel } from '../../model/files/located-model.js';
import { longestRow } from '../../model/longest-row.js';
import type { Quantization } from '../../model/quantization/quantization.js';
import { askedQuantization } from '../../model/quantization/asked-quantization.js';
import { readLaunch } from '../../ranks/launch.js';
import { trainingTokenizer } from '../../tokenizer/training-tokenizer.js';
import { largestMicroBatch } from '../../trainer/batches/largest-micro-batch.js';
import { settingsOfAll } from '../../trainer/batches/rank-part.js';
import { plannedEvaluations } from '../../trainer/evaluation/evaluation-due.js';
import type { PlannedRun } from '../../trainer/memory/planned-run.js';
import { plannedMemory } from '../../trainer/memory/check-memory.js';
import { runMemory } from '../../trainer/memory/report-memory.js';
import { RunProgress } from '../../trainer/run-progress.js';
import { frozenNames } from '../../trainer/step/freezing.js';
import { planRun, type RunPlan } from '../../trainer/step/run-plan.js';
import { runPrecision } from '../../trainer/step/run-precision.js';
import { countParameters, type ParameterCounts } from './count-parameters.js';
import { planData } from './plan-data.js';
import type { PlanOptions } from './plan-options.js';
import { memoryThere, plannedDevice, type PlannedDevice } from './planned-device.js';

/** What a run would do, known without its weights. */
export interface TrainingPlan {
  decoder: DecoderConfig;
  /** Folder with config.json. */
  modelDir: string;
  counts: ParameterCounts;
  /** What is trained in place of the weights; undefined: these. */
  adapter: PeftConfig | undefined;
  /** What frozen weights are kept in; undefined: whole. */
  quantization: Quantization | undefined;
  precision: Precision;
  device: PlannedDevice;
  /** Processes that take part; `memory` is that of the one that needs most. */
  ranks: number;
  data: MixedDatasets;
  /** What had to be taken for true of datasets that are not here, in words. */
  assumptions: readonly string[];
  run: RunPlan;
  /** How often the run evaluates, and whether it measures forgetting then. */
  evaluations: number;
  measuresForgetting: boolean;
  memory: MemoryReport;
  /** What `memory` was computed of. */
  memoryInput: PlannedRun;
  /** The same for the configuration with something changed. */
  memoryWith: (
    changed: Partial<Pick<ParsedConfig, 'trainingConfig' | 'peftConfig'>>,
  ) => Promise<{ input: PlannedRun; counts: ParameterCounts; quantization: Quantization | undefined }>;
}

/**
 * Everything that a run does before it opens the weights: the model's configuration and the headers of its weights, the
 * tokenizer, the data, the number of steps, the memory. Writes nothing but, for names on the Hub, their small files into its
 * cache.
 * @throws AdaptiveTrainerError what the run would throw up to there
 */
export async function planTraining(config: ParsedConfig, options: PlanOptions): Promise<TrainingPlan> {
  const { trainingConfig: args } = config;
  const { onWarning, signal } = options;
  // Before anything is computed: libtorch's half for CUDA is loaded first.
  const device = plannedDevice(args.device, options.deviceMemory, onWarning);
  const needsWeights = !args.fromScratch;
  const hub = { onWarning, signal, needsWeights };
  const source = await locateModel(config.modelName, hub);
  const { decoder, baseDir } = await checkModelFiles(source, { ...hub, ignoreDropout: args.ignoreDropout });
  await source.fetch('without weights');
  const tokenizer = await trainingTokenizer(source.dir, args.chatTemplate, onWarning);
  const maxLengthToken = longestRow(args.maxLengthToken, decoder, onWarning);
  const { data, assumptions } = await planData(config, tokenizer, maxLengthToken, options);
  const launch = readLaunch();
  const ranks = options.ranks ?? launch?.size ?? 1;
  const run = planRun(data.train, settingsOfAll(args, ranks));
  const evaluations = data.eval.length === 0 ? 0 : plannedEvaluations(args, new RunProgress(run));
  const isMeasured = args.evalForgetting ?? (needsWeights && evaluations > 0);
  const precision = runPrecision(args, device.name);
  const known = {
    ...(await memoryThere(device, decoder, launch?.localSize ?? 1)),
    ...(await largestMicroBatch(data.train, args)),
  };
  const adapter = isAdapterFolder(source.dir)
    ? await findAdapter(source.dir, { needsWeights: false })
    : undefined;
  const ofRun = { ...config, trainingConfig: { ...args, evalForgetting: isMeasured } };
  const memoryWith: TrainingPlan['memoryWith'] = async (changed) => {
    const { trainingConfig, peftConfig } = { ...ofRun, ...changed };
    const model = await CausalLM.outline(baseDir, {
      ...{ adapter: peftConfig ?? adapter?.config, isStored: peftConfig === null },
      ...{ quantization: askedQuantization(trainingConfig), minVocabSize: tokenizer.vocabSize },
    });
    try {
      const frozen = frozenNames(trainingConfig, model.weightNames);
      if (frozen !== undefined) await model.freezeWeights(frozen);
      const takenOut = model.adapter === undefined ? 0 : valuesTakenOut(model.adapter);
      const input = {
        ...(await runMemory(model, trainingConfig, precision, { size: ranks })),
        args: trainingConfig,
        takenOut,
        ...known,
      };
      return { input, counts: countParameters(model), quantization: model.quantization };
    } finally {
      model.dispose();
    }
  };
  const { input, counts, quantization } = await memoryWith({});
  return {
    ...{ decoder, modelDir: baseDir, counts, precision, ranks, data, assumptions, run, evaluations, device },
    ...{ memory: plannedMemory(input), memoryInput: input, memoryWith },
    ...{ adapter: config.peftConfig ?? adapter?.config, quantization, measuresForgetting: isMeasured },
  };
}
