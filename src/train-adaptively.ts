import { AdaptiveTrainer } from './adaptive-trainer.js';
import { parseConfig } from './config/parse-config.js';
import type { TrainAdaptivelyOptions } from './config/train-adaptively-options.js';
import { DatasetMixer } from './data/dataset-mixer.js';
import { CausalLM } from './model/causal-lm.js';
import { modelFolder } from './model/model-folder.js';
import { ProgressBar } from './report/progress-bar.js';
import { Tokenizer } from './tokenizer/tokenizer.js';
import { JsonlTracker } from './tracking/jsonl-tracker.js';
import type { Tracker } from './tracking/tracker.js';
import type { TrainingEvent } from './tracking/training-event.js';

export interface TrainAdaptivelyHooks {
  /** Told everything that happens, in place of the progress bar. */
  onEvent?: (event: TrainingEvent) => void;
  /** Aborting ends the run after the step it is in; the call then rejects with ABORTED. */
  signal?: AbortSignal;
}

/**
 * Fine-tunes a model on datasets with learning styles, in one call: the `train_adaptively` of the Python package.
 * Writes `metrics.jsonl`, checkpoints and `final_model` to `outputDir`.
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

  modelFolder(config.modelName);
  const tokenizer = await Tokenizer.fromPretrained(config.modelName);
  const { systemPrompts, datasetsKwargs, datasetSpecificSystemPrompts, datasetsConfig } = config;
  const mixer = new DatasetMixer({
    ...{ datasetsConfig, systemPrompts, datasetsKwargs, datasetSpecificSystemPrompts, tokenizer },
    ...{ maxLengthToken: args.maxLengthToken, seed: args.seed, onWarning: warn('DATASET') },
  });
  const { train, eval: evaluation, report } = await mixer.build();
  hooks.signal?.throwIfAborted();

  const { device, attnImpl } = args;
  const model = await CausalLM.fromPretrained(config.modelName, { device, attnImpl });
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
      trackers: [new JsonlTracker(outputDir, { onWarning: (event) => view.onEvent(event) }), view],
      ...(hooks.signal ? { signal: hooks.signal } : {}),
    });
    return (await trainer.train()).path;
  } finally {
    model.dispose();
  }
}
