import { existsSync } from 'node:fs';
import { isAdapterFolder } from '../../common/adapter-folder.js';
import type { MemoryReport } from '../../events/memory-report.js';
import { parsePeftConfig } from '../../config/read/read-peft-config.js';
import type { ParsedConfig, Precision } from '../../config/schema/parsed-config.js';
import { hubSettings } from '../../common/hub-settings.js';
import type { FetchHubDataset } from '../../data/sources/fetch-hub-dataset.js';
import { downloadDataset } from '../../hub/datasets/download-dataset.js';
import { DatasetMixer } from '../../data/dataset-mixer.js';
import type { MixedDatasets } from '../../data/mix/mixed-datasets.js';
import type { DecoderConfig } from '../../engine/addon.js';
import { engineCall } from '../../engine/engine-call.js';
import { loadAddon } from '../../engine/load/load-addon.js';
import { AdaptiveTrainerError } from '../../errors.js';
import type { MixProgress } from '../../events/dataset-report.js';
import { checkModelFiles } from '../../model/check-model-files.js';
import { createModel } from '../../model/create-model.js';
import { locateModel } from '../../model/files/located-model.js';
import { longestRow } from '../../model/longest-row.js';
import { trainingTokenizer } from '../../tokenizer/training-tokenizer.js';
import { largestMicroBatch } from '../../trainer/batches/largest-micro-batch.js';
import { findSource } from '../../trainer/checkpoint/find-source.js';
import type { MemoryInput } from '../../trainer/memory/memory-estimate.js';
import { plannedMemory } from '../../trainer/memory/check-memory.js';
import { retainedTokens } from '../../trainer/memory/report-memory.js';
import { usedOutputDir } from '../../trainer/output-dir/used-output-dir.js';
import { planRun, type RunPlan } from '../../trainer/step/run-plan.js';
import { runPrecision } from '../../trainer/step/run-precision.js';
import { countParameters, shapesOf, type ParameterCounts } from './count-parameters.js';

/** What a run would do, known without its weights. */
export interface TrainingPlan {
  decoder: DecoderConfig;
  /** Folder with config.json. */
  modelDir: string;
  counts: ParameterCounts;
  precision: Precision;
  data: MixedDatasets;
  run: RunPlan;
  memory: MemoryReport;
  /** What `memory` was computed of. */
  memoryInput: MemoryInput & { args: ParsedConfig['trainingConfig'] };
  /** Bytes that the process has of the memory already. */
  held: number;
}

export interface PlanOptions {
  onWarning: (message: string) => void;
  onProgress?: (progress: MixProgress) => void;
  signal?: AbortSignal;
  /** Brings datasets of the Hub here. Default: those in its cache are taken, others refused. */
  download?: boolean;
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
  await refuseUsedOutput(config);
  const needsWeights = !args.fromScratch;
  const hub = { onWarning, signal, needsWeights };
  const source = await locateModel(config.modelName, hub);
  const { decoder, baseDir } = await checkModelFiles(source, { ...hub, ignoreDropout: args.ignoreDropout });
  await source.fetch('without weights');
  const tokenizer = await trainingTokenizer(source.dir, args.chatTemplate, onWarning);
  const maxLengthToken = longestRow(args.maxLengthToken, decoder, onWarning);
  const { trainOnHeader, mixing, mixingProbabilities, mixingStop, seed } = args;
  const data = await new DatasetMixer({
    ...{ datasetsConfig: config.datasets, tokenizer, maxLengthToken, trainOnHeader, seed, onWarning, signal },
    ...{ mixing, mixingProbabilities, mixingStop },
    ...(options.onProgress === undefined ? {} : { onProgress: options.onProgress }),
    cacheDir: null,
    fetchHubDataset: fetchOf(options),
  }).build();
  const shapes = await shapesOf(decoder);
  const isAdapter = config.peftConfig === null && isAdapterFolder(source.dir);
  const peft = isAdapter ? parsePeftConfig({}, 'adapter') : config.peftConfig;
  const counts = await countParameters(baseDir, shapes, peft);
  const precision = runPrecision(args);
  const held = process.memoryUsage.rss();
  const memoryInput = {
    ...{ decoder, parameters: counts.all, trainable: counts.trainable, precision, args, base: held },
    ...(await largestMicroBatch(data.train, args)),
    bfloat16Instructions: loadAddon().bfloat16Instructions,
    retainedTokens: retainedTokens(args),
    measuresForgetting: args.evalForgetting === true,
    available: await availableMemory(decoder),
  };
  const memory = plannedMemory(memoryInput, held);
  const run = planRun(data.train, args);
  return { decoder, modelDir: baseDir, counts, precision, data, run, memory, memoryInput, held };
}

async function refuseUsedOutput({ outputDir, trainingConfig }: ParsedConfig): Promise<void> {
  const { overwriteOutputDir, resumeFromCheckpoint } = trainingConfig;
  if (!existsSync(outputDir) || overwriteOutputDir || resumeFromCheckpoint) return;
  const found = await findSource(outputDir, false, async () => {});
  if (found.inTheWay.length > 0) throw usedOutputDir(outputDir, found);
}

/** As the engine counts it: what the system has to give, a cgroup's limit included. */
async function availableMemory(decoder: DecoderConfig): Promise<number> {
  const native = await createModel({ ...decoder, layers: decoder.layers.slice(0, 1) });
  try {
    return (await engineCall(() => native.memory())).available;
  } finally {
    native.dispose();
  }
}

function fetchOf({ download = false }: PlanOptions): FetchHubDataset {
  if (download) return (id, location, onWarning) => downloadDataset(id, location, { onWarning });
  const settings = hubSettings(process.env, { offline: true });
  return async (id, location, onWarning) => {
    try {
      return await downloadDataset(id, location, { settings, onWarning });
    } catch (cause) {
      throw new AdaptiveTrainerError(
        'NOT_AVAILABLE',
        `Expected datasets on this disk, found ${JSON.stringify(id)} on the Hub and not in its cache. \`adaptive-trainer train ` +
          '--dry-run` fetches it and tells the rest.',
        { details: { dataset: id }, cause },
      );
    }
  };
}
