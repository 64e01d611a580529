import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { isAdapterFolder } from './common/adapter-folder.js';
import { errorText } from './common/error-text.js';
import { expectInput } from './common/expect-input.js';
import { throwIfAborted } from './common/throw-if-aborted.js';
import { parseConfig } from './config/read/parse-config.js';
import { throwFaults } from './config/read/throw-faults.js';
import type { ParsedConfig } from './config/schema/parsed-config.js';
import type { TrainAdaptivelyOptions } from './config/schema/train-adaptively-options.js';
import { Dashboard } from './dashboard/dashboard.js';
import { closedAnswers } from './data/closed-answers.js';
import type { MixedDatasets } from './data/mix/mixed-datasets.js';
import type { MixProgress } from './events/dataset-report.js';
import type { HubEvent } from './events/hub-event.js';
import type { Tracker } from './events/tracker.js';
import type { TrainingEvent } from './events/training-event.js';
import { CausalLM } from './model/causal-lm.js';
import { planAdapter } from './model/adapter/plan-adapter.js';
import { refuseBaseFolder } from './model/adapter/save-adapter.js';
import { checkModelFiles, type CheckedModel } from './model/check-model-files.js';
import { askedQuantization } from './model/quantization/asked-quantization.js';
import { faultOfFrozenBase } from './model/quantization/needs-adapter.js';
import { longestRow } from './model/longest-row.js';
import { locateModel } from './model/files/located-model.js';
import { fitVocabulary } from './model/fit-vocabulary.js';
import { heldOut } from './open/held-out.js';
import { hubOptions } from './open/hub-options.js';
import { mixDatasets } from './open/mix-datasets.js';
import { publishModel } from './publish/publish-model.js';
import { RunRecord } from './publish/run-record.js';
import { writeReport } from './report/write-report.js';
import type { Tokenizer } from './tokenizer/tokenizer.js';
import { trainingTokenizer } from './tokenizer/training-tokenizer.js';
import { afterStart } from './trackers/after-start.js';
import { openTrackers } from './trackers/open-trackers.js';
import { RunView } from './trackers/run-view.js';
import { AdaptiveTrainerError } from './errors.js';
import { openDevice } from './engine/device/open-device.js';
import { inTurns } from './ranks/in-turns.js';
import { joinRanks } from './ranks/join-ranks.js';
import { readLaunch } from './ranks/launch.js';
import type { Ranks } from './ranks/ranks.js';
import { AdaptiveTrainer } from './trainer/adaptive-trainer.js';
import type { AdaptiveTrainerOptions } from './trainer/adaptive-trainer-options.js';
import { checkOutputDir } from './trainer/output-dir/check-output-dir.js';
import { isTrainedInto } from './trainer/output-dir/lock-output-dir.js';
import { tryStatesFolder } from './trainer/retention/states-folder.js';
import { engineTypes } from './trainer/step/engine-types.js';
import { weightPatternFaults } from './trainer/step/weight-pattern-faults.js';
import { runPrecision } from './trainer/step/run-precision.js';
import type { TrainerCallback } from './trainer/trainer-callback.js';

/** What `trainAdaptively` takes beside the configuration: everything that cannot stand in a file. */
export interface TrainAdaptivelyHooks {
  /** Show the progress of the run, of downloads and of tokenizing on standard error. Default true. */
  progress?: boolean | undefined;
  /** Told everything that happens. Default: none. */
  onEvent?: ((event: TrainingEvent) => void) | undefined;
  /** Told of downloads from the Hub and of the upload. Default: none. */
  onHub?: ((event: HubEvent) => void) | undefined;
  /** Told how far the tokenizing of the datasets is. Default: none. */
  onData?: ((progress: MixProgress) => void) | undefined;
  /** Told where W&B shows the run, what is left to send to it and how to send it later. Default: none. */
  onNote?: ((text: string) => void) | undefined;
  /** Told every event of the run, beside `metrics.jsonl`, which is written in any case. Default: none. */
  trackers?: readonly Tracker[] | undefined;
  /** Code that runs at points of the training, and may stop it. Default: none. */
  callbacks?: readonly TrainerCallback[] | undefined;
  /** What trains: a class that extends `AdaptiveTrainer`. Default: `AdaptiveTrainer`. */
  trainer?: TrainerClass | undefined;
  /**
   * Show the run on a page of this machine, whose address `onNote` is told: live, with buttons to pause it, to save, to stop
   * with a checkpoint and to ask the model. `port` of 127.0.0.1: any that is free by default. Default false.
   */
  dashboard?: boolean | { port?: number } | undefined;
  /** Aborting ends the run after the step it is in; the call then rejects with ABORTED. Default: none. */
  signal?: AbortSignal | undefined;
}

/** `AdaptiveTrainer`, or a class that extends it and is constructed with the same options. */
export type TrainerClass = new (options: AdaptiveTrainerOptions) => AdaptiveTrainer;

/**
 * Fine-tunes a model on datasets with learning styles, in one call: the `train_adaptively` of the Python package.
 * Writes `metrics.jsonl`, checkpoints, `final_model` and `report.html` to `outputDir`; with a `huggingfaceRepo` and a token it is then
 * uploaded. That failing is a warning, not an error. An `outputDir` that holds another run is refused, unless
 * `trainingConfig` says `resumeFromCheckpoint` or `overwriteOutputDir`.
 *
 * @param options docs/keys.md lists every key; what `parseConfig` returned is taken as it is
 * @returns the folder of the final model
 * @throws AdaptiveTrainerError CONFIG_INVALID with all faults at once; whatever opening the model, reading the data and
 * training throw
 */
export async function trainAdaptively(
  options: TrainAdaptivelyOptions,
  hooks: TrainAdaptivelyHooks = {},
): Promise<string> {
  const parsed = attempted(() => parseConfig(options));
  const ranks = await joinRanks(parsed.value?.trainingConfig.ddpTimeout);
  try {
    // Told once, also where only one rank's configuration has faults.
    await ranks.together(async () => {
      if (parsed.value === undefined) throw parsed.error;
    });
    const folder = await trainTogether(parsed.value!, hooks, ranks);
    return await ranks.together(async () => folder);
  } catch (cause) {
    const error = await ranks.explain(cause);
    if (AdaptiveTrainerError.isInstance(error, 'ABORTED'))
      await ranks.together(async () => {}).catch(() => {});
    else await ranks.leave(error);
    throw error;
  }
}

function attempted<Value>(work: () => Value): { value?: Value; error?: unknown } {
  try {
    return { value: work() };
  } catch (error) {
    return { error };
  }
}

async function trainTogether(
  config: ParsedConfig,
  given: TrainAdaptivelyHooks,
  ranks: Ranks,
): Promise<string> {
  const hooks = ranks.isFirst ? given : atOtherRank(given);
  const { trainer: Trainer = AdaptiveTrainer, trackers = [] } = hooks;
  const isTrainer = typeof Trainer === 'function' && Trainer.prototype instanceof AdaptiveTrainer;
  expectInput(
    isTrainer || Trainer === AdaptiveTrainer,
    'trainer',
    'AdaptiveTrainer or a class that extends it',
    Trainer,
  );
  const view = new RunView(hooks);
  for (const { code, message } of config.warnings) view.warn(code)(message);
  const reporting = ranks.isFirst
    ? openTrackers(config.trainingConfig, config.outputDir, {
        onWarning: (event) => view.show(event),
        onNote: view.note,
      })
    : [];
  const dashboard = await openDashboard(hooks.dashboard, config.outputDir);
  if (dashboard !== undefined) view.note(`The run is shown at ${dashboard.url}`);
  const watchers = dashboard === undefined ? [] : [dashboard];
  const signals = [hooks.signal, dashboard?.signal].filter((one) => one !== undefined);
  const signal = signals.length > 1 ? AbortSignal.any(signals) : signals[0];
  const toClose = new Set([...view.trackers, ...reporting, ...watchers, ...trackers]);
  let model: CausalLM | undefined;
  let hasBegun = false;
  try {
    const isBegun = (ranks.launch?.attempt ?? 0) > 0 && (await ranks.recall()) !== undefined;
    await ranks.together(async () => {
      if (!ranks.isFirst || isBegun) return;
      await checkOutputDir(config.outputDir, config.trainingConfig);
      await tryStatesFolder(config.trainingConfig, config.adaptiveLossConfig);
    });
    const { modelDir, tokenizer, data, texts } = await inTurns(ranks, () => openData(config, view, signal));
    const opened = await ranks.together(() => openModel(config, modelDir, tokenizer));
    model = opened;
    await fitVocabulary(opened, tokenizer, config.trainingConfig.seed, view.warn('VOCABULARY_RESIZED'));
    const run = new RunRecord();
    const trainer = new Trainer({
      ...trainerOptions(config, data),
      ...(texts === undefined ? {} : { retentionDataset: texts.train, guardedDataset: heldOut(texts) }),
      model: opened,
      tokenizer,
      callbacks: [...watchers, ...(hooks.callbacks ?? [])],
      trackers: [
        ...[...reporting, ...watchers, ...trackers].map((one) => afterStart(one, [...view.warnings])),
        ...[run, ...view.trackers],
      ],
      ...(signal === undefined ? {} : { signal }),
    });
    toClose.clear(); // the trainer closes them
    hasBegun = true;
    const { path: folder } = await trainer.train();
    const onWarning = view.warn('NOT_UPLOADED');
    if (ranks.isFirst) await publishModel({ folder, config, run, signal, onWarning, onEvent: view.onHub });
    return folder;
  } finally {
    model?.dispose();
    for (const tracker of toClose) await closeQuietly(tracker);
    if (hasBegun && ranks.isFirst) await report(config.outputDir, view);
  }
}

/** What a rank other than the first takes of the hooks: code that trains, and nothing that shows or tracks. */
function atOtherRank({ trackers, callbacks, trainer, signal }: TrainAdaptivelyHooks): TrainAdaptivelyHooks {
  return { progress: false, trackers, callbacks, trainer, signal };
}

interface OpenedData {
  /** Of the model, whose files are there. */
  modelDir: string;
  tokenizer: Tokenizer;
  data: MixedDatasets;
  texts: MixedDatasets | undefined;
}

/**
 * Fetches the model and opens the datasets. What cannot be trained is told before anything large is fetched or read: the configuration
 * and the headers of the weights first, then the data, and the weights of a model on the Hub last.
 */
async function openData(
  config: ParsedConfig,
  view: RunView,
  signal: AbortSignal | undefined,
): Promise<OpenedData> {
  const { ignoreDropout, fromScratch, chatTemplate } = config.trainingConfig;
  const needsWeights = !fromScratch;
  const hub = hubOptions(view, signal);
  const source = await locateModel(config.modelName, { ...hub, needsWeights });
  const checked = await checkModelFiles(source, { ...hub, ignoreDropout, needsWeights });
  const { decoder, baseDir, weights, adapted } = checked;
  refuseFrozenBase(config, checked);
  if (weights !== undefined && config.peftConfig === null)
    throwFaults(
      weightPatternFaults(config.trainingConfig, weights).map(({ path, ...fault }) => ({
        path: `trainingConfig.${path}`,
        ...fault,
      })),
    );
  if (config.peftConfig !== null && adapted !== undefined) planAdapter(config.peftConfig, adapted);
  if (config.peftConfig !== null || isAdapterFolder(source.dir))
    await refuseBaseFolder(baseDir, join(config.outputDir, 'final_model'));
  await source.fetch('without weights');
  const tokenizer = await trainingTokenizer(source.dir, chatTemplate, view.warn('CHAT_TEMPLATE'));
  const longest = longestRow(config.trainingConfig.maxLengthToken, decoder, view.warn('MAX_LENGTH'));
  const data = await mixDatasets(config, config.datasets, tokenizer, longest, view, signal);
  for (const note of closedAnswers(data.train, config.adaptiveLossConfig)) view.warn('TOP_K')(note);
  const texts =
    config.retentionDatasets.length === 0
      ? undefined
      : await mixDatasets(config, config.retentionDatasets, tokenizer, longest, view, signal);
  throwIfAborted(signal, 'Stopped before the first step. Nothing was trained.');
  if (needsWeights) await source.fetch();
  return { modelDir: source.dir, tokenizer, data, texts };
}

/** Writes the page of a run that is over, however it ended. */
async function report(outputDir: string, view: RunView): Promise<void> {
  const file = join(outputDir, 'report.html');
  // A run that was refused the folder leaves no trace in it.
  if (!existsSync(join(outputDir, 'metrics.jsonl')) || (await isTrainedInto(outputDir))) return;
  try {
    await writeReport([outputDir], file);
    view.note(`report ${file}`);
  } catch (error) {
    view.warn('REPORT_NOT_WRITTEN')(
      `The run is over, but its report could not be written: ${errorText(error)}.`,
    );
  }
}

async function openDashboard(
  asked: TrainAdaptivelyHooks['dashboard'],
  outputDir: string,
): Promise<Dashboard | undefined> {
  if (asked === undefined || asked === false) return undefined;
  return Dashboard.open({ outputDir, port: asked === true ? undefined : asked.port });
}

/** @throws AdaptiveTrainerError CONFIG_INVALID where a base in 4 or 8 bits has no adapter to train */
function refuseFrozenBase({ trainingConfig: args, peftConfig }: ParsedConfig, checked: CheckedModel): void {
  const loadsInFewerBits = args.loadIn4bit || args.loadIn8bit;
  const fault = faultOfFrozenBase({ ...checked, loadsInFewerBits, hasAdapterConfig: peftConfig !== null });
  if (fault !== undefined) throwFaults([{ path: 'peftConfig', code: 'MISSING', message: fault }]);
}

/** Closes a tracker of a run that did not begin. It does not mask the error that the run ends with. */
async function closeQuietly(tracker: Tracker): Promise<void> {
  try {
    await tracker.close();
  } catch (error) {
    process.emitWarning(`A tracker failed in close: ${errorText(error)}.`, { code: 'TRACKER_FAILED' });
  }
}

function openModel(config: ParsedConfig, modelDir: string, tokenizer: Tokenizer): Promise<CausalLM> {
  const { peftConfig, modelName, trainingConfig: args } = config;
  const { device, attnImpl, ignoreDropout, seed } = args;
  if (args.fromScratch) return CausalLM.fromConfig(modelDir, { device, attnImpl, ignoreDropout, seed });
  const precision = runPrecision(args, openDevice(device, readLaunch));
  const hasAdapter = peftConfig !== null || isAdapterFolder(modelDir);
  const quantization = askedQuantization(args);
  return CausalLM.fromPretrained(modelDir, {
    device,
    attnImpl,
    ignoreDropout,
    // The folder is one of the cache, where the model was named.
    ...(resolve(modelName) === modelDir ? {} : { baseName: modelName }),
    // An adapter is made for the vocabulary that there is. Frozen weights never stand in memory wider than they are computed in.
    ...(hasAdapter ? { minVocabSize: tokenizer.vocabSize } : {}),
    ...(hasAdapter && precision !== 'fp32' ? { dtype: engineTypes(precision).computeType } : {}),
    ...(peftConfig === null ? {} : { adapter: peftConfig, adapterSeed: seed }),
    ...(quantization === undefined ? {} : { quantization }),
  });
}

function trainerOptions(config: ParsedConfig, { train, eval: evaluation, report }: MixedDatasets) {
  // Warnings are told on their own, and datasets were read of what else is there.
  const { warnings: _warnings, datasets: _datasets, retentionDatasets: _texts, ...configuration } = config;
  const { trainingConfig: args, adaptiveLossConfig: adaptiveLoss, outputDir } = config;
  return {
    args,
    adaptiveLoss,
    outputDir,
    datasetReport: report,
    config: configuration,
    trainDataset: train,
    ...(evaluation.length > 0 ? { evalDataset: evaluation } : {}),
  };
}
