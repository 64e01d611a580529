import { resolve } from 'node:path';
import { AdaptiveTrainer } from './trainer/adaptive-trainer.js';
import { parseConfig } from './config/read/parse-config.js';
import type { ParsedConfig } from './config/schema/parsed-config.js';
import type { TrainAdaptivelyOptions } from './config/schema/train-adaptively-options.js';
import { DatasetMixer } from './data/dataset-mixer.js';
import type { MixProgress } from './events/dataset-report.js';
import { fitVocabulary } from './model/fit-vocabulary.js';
import { atMostEvery } from './common/at-most-every.js';
import { downloadDataset } from './hub/datasets/download-dataset.js';
import type { HubEvent } from './events/hub-event.js';
import type { HubProgress } from './events/hub-progress.js';
import { publishModel } from './publish/publish-model.js';
import { RunRecord } from './publish/run-record.js';
import { isAdapterFolder } from './common/adapter-folder.js';
import { CausalLM } from './model/causal-lm.js';
import { modelFolder } from './model/files/model-folder.js';
import { dataPrinter } from './trackers/terminal/data-printer.js';
import { hubPrinter } from './trackers/terminal/hub-printer.js';
import { ProgressBar } from './trackers/terminal/progress-bar.js';
import { trainingTokenizer } from './tokenizer/training-tokenizer.js';
import { afterStart } from './trackers/after-start.js';
import { JsonlTracker } from './trackers/jsonl-tracker.js';
import type { Tracker } from './events/tracker.js';
import type { TrainingEvent, WarningEvent } from './events/training-event.js';
import { throwIfAborted } from './common/throw-if-aborted.js';
import { engineTypes } from './trainer/step/engine-types.js';
import { runPrecision } from './trainer/step/run-precision.js';

export interface TrainAdaptivelyHooks {
  /** Told everything that happens. Default: none. */
  onEvent?: (event: TrainingEvent) => void;
  /** Told of downloads from the Hub and of the upload. Default: none. */
  onHub?: (event: HubEvent) => void;
  /** Told how far the tokenizing of the datasets is. Default: none. */
  onData?: (progress: MixProgress) => void;
  /** Aborting ends the run after the step it is in; the call then rejects with ABORTED. Default: none. */
  signal?: AbortSignal;
}

/**
 * Fine-tunes a model on datasets with learning styles, in one call: the `train_adaptively` of the Python package.
 * Writes `metrics.jsonl`, checkpoints and `final_model` to `outputDir`; with a `huggingfaceRepo` and a token it is then
 * uploaded. That failing is a warning, not an error.
 *
 * @returns the folder of the final model
 * @throws AdaptiveTrainerError CONFIG_INVALID with all faults at once; whatever opening the model, reading the data and
 * training throw
 */
export async function trainAdaptively(
  options: TrainAdaptivelyOptions | ParsedConfig,
  hooks: TrainAdaptivelyHooks = {},
): Promise<string> {
  const config = parseConfig(options);
  const { trainingConfig: args, outputDir } = config;
  const view: Tracker =
    hooks.onEvent === undefined ? new ProgressBar() : { onEvent: hooks.onEvent, close: async () => {} };
  const warnings: WarningEvent[] = [];
  const warn = (code: string) => (message: string) => {
    const warning = { type: 'warning', code, message } as const;
    warnings.push(warning);
    void view.onEvent(warning);
  };
  for (const { code, message } of config.warnings) warn(code)(message);

  const onHub = hooks.onHub ?? (hooks.onEvent === undefined ? hubPrinter() : () => {});
  const fromHub = {
    onProgress: atMostEvery<HubProgress>(
      250,
      (progress) => onHub({ type: 'download', ...progress }),
      ({ received, total }) => received === total,
    ),
    ...{ onWarning: warn('HUB'), signal: hooks.signal },
  };
  const modelDir = await modelFolder(config.modelName, fromHub);
  const tokenizer = await trainingTokenizer(modelDir, args.chatTemplate, warn('CHAT_TEMPLATE'));
  const printer = dataPrinter();
  const onProgress = hooks.onData ?? (hooks.onEvent === undefined ? printer.onProgress : () => {});
  const { maxLengthToken, trainOnHeader, mixing, mixingProbabilities, mixingStop } = args;
  const mixer = new DatasetMixer({
    ...{ datasetsConfig: config.datasets, tokenizer },
    ...{ maxLengthToken, trainOnHeader, seed: args.seed, onWarning: warn('DATASET') },
    ...{ mixing, mixingProbabilities, mixingStop, onProgress, signal: hooks.signal },
    fetchHubDataset: (id, location, onWarning) => downloadDataset(id, location, { ...fromHub, onWarning }),
  });
  const { train, eval: evaluation, report } = await mixer.build().finally(printer.clear);
  throwIfAborted(hooks.signal, 'Stopped before the first step. Nothing was trained.');

  const { device, attnImpl, ignoreDropout } = args;
  const { peftConfig, modelName } = config;
  const precision = runPrecision(args);
  const hasAdapter = peftConfig !== null || isAdapterFolder(modelDir);
  const model = await (args.fromScratch
    ? CausalLM.fromConfig(modelDir, { device, attnImpl, ignoreDropout, seed: args.seed })
    : CausalLM.fromPretrained(modelDir, {
        ...{ device, attnImpl, ignoreDropout },
        // The folder is one of the cache, where the model was named.
        ...(resolve(modelName) === modelDir ? {} : { baseName: modelName }),
        // An adapter is made for the vocabulary that there is. Frozen weights never stand in memory wider than they are computed in.
        ...(hasAdapter ? { minVocabSize: tokenizer.vocabSize } : {}),
        ...(hasAdapter && precision !== 'fp32' ? { dtype: engineTypes(precision).computeType } : {}),
        ...(peftConfig === null ? {} : { adapter: peftConfig, adapterSeed: args.seed }),
      }));
  // Warnings are told on their own, and `datasets` was read of what else is there.
  const { warnings: _warnings, datasets: _datasets, ...configuration } = config;
  const run = new RunRecord();
  try {
    await fitVocabulary(model, tokenizer, args.seed, warn('VOCABULARY_RESIZED'));
    const trainer = new AdaptiveTrainer({
      ...{
        model,
        tokenizer,
        args,
        adaptiveLoss: config.adaptiveLossConfig,
        outputDir,
        datasetReport: report,
        config: configuration,
      },
      ...{ trainDataset: train, ...(evaluation.length > 0 ? { evalDataset: evaluation } : {}) },
      trackers: [
        afterStart(new JsonlTracker(outputDir, { onWarning: (event) => view.onEvent(event) }), [...warnings]),
        ...[run, view],
      ],
      ...(hooks.signal ? { signal: hooks.signal } : {}),
    });
    const { path } = await trainer.train();
    const { signal } = hooks;
    await publishModel({
      folder: path,
      config,
      run,
      signal,
      onWarning: warn('NOT_UPLOADED'),
      onEvent: onHub,
    });
    return path;
  } finally {
    model.dispose();
  }
}
