import { AdaptiveTrainer } from './adaptive-trainer.js';
import { parseConfig } from './config/parse-config.js';
import type { TrainAdaptivelyOptions } from './config/train-adaptively-options.js';
import { DatasetMixer } from './data/dataset-mixer.js';
import { atMostEvery } from './hub/at-most-every.js';
import type { HubEvent } from './hub/hub-event.js';
import { publishModel } from './hub/publish-model.js';
import { RunRecord } from './hub/run-record.js';
import { CausalLM } from './model/causal-lm.js';
import { modelFolder } from './model/model-folder.js';
import { hubPrinter } from './report/hub-printer.js';
import { ProgressBar } from './report/progress-bar.js';
import { Tokenizer } from './tokenizer/tokenizer.js';
import { JsonlTracker } from './tracking/jsonl-tracker.js';
import type { Tracker } from './tracking/tracker.js';
import type { TrainingEvent } from './tracking/training-event.js';

export interface TrainAdaptivelyHooks {
  /** Told everything that happens, in place of the progress bar. */
  onEvent?: (event: TrainingEvent) => void;
  /** Told of downloads from the Hub and of the upload, in place of what is printed about them. */
  onHub?: (event: HubEvent) => void;
  /** Aborting ends the run after the step it is in; the call then rejects with ABORTED. */
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
  options: TrainAdaptivelyOptions,
  hooks: TrainAdaptivelyHooks = {},
): Promise<string> {
  const config = parseConfig(options);
  const { trainingConfig: args, outputDir } = config;
  const view: Tracker =
    hooks.onEvent === undefined ? new ProgressBar() : { onEvent: hooks.onEvent, close: async () => {} };
  const warn = (code: string) => (message: string) => void view.onEvent({ type: 'warning', code, message });
  for (const { code, message } of config.warnings) warn(code)(message);

  const onHub = hooks.onHub ?? (hooks.onEvent === undefined ? hubPrinter() : () => {});
  const modelDir = await modelFolder(config.modelName, {
    onProgress: atMostEvery(
      250,
      (progress) => onHub({ type: 'download', ...progress }),
      ({ received, total }) => received === total,
    ),
    ...{ onWarning: warn('HUB'), signal: hooks.signal },
  });
  const tokenizer = await Tokenizer.fromPretrained(modelDir);
  const { systemPrompts, datasetsKwargs, datasetSpecificSystemPrompts, datasetsConfig } = config;
  const mixer = new DatasetMixer({
    ...{ datasetsConfig, systemPrompts, datasetsKwargs, datasetSpecificSystemPrompts, tokenizer },
    ...{ maxLengthToken: args.maxLengthToken, seed: args.seed, onWarning: warn('DATASET') },
  });
  const { train, eval: evaluation, report } = await mixer.build();
  hooks.signal?.throwIfAborted();

  const { device, attnImpl } = args;
  const model = await CausalLM.fromPretrained(modelDir, { device, attnImpl });
  const run = new RunRecord();
  try {
    const trainer = new AdaptiveTrainer({
      ...{
        model,
        tokenizer,
        args,
        adaptiveLoss: config.adaptiveLossConfig,
        outputDir,
        datasetReport: report,
      },
      ...{ trainDataset: train, ...(evaluation.length > 0 ? { evalDataset: evaluation } : {}) },
      trackers: [new JsonlTracker(outputDir, { onWarning: (event) => view.onEvent(event) }), run, view],
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
