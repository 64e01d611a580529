import { isAdapterFolder } from '../common/adapter-folder.js';
import { LiveLine } from '../common/live-line.js';
import { format } from '../common/format.js';
import { throwIfAborted } from '../common/throw-if-aborted.js';
import type { ParsedConfig } from '../config/schema/parsed-config.js';
import { openDevice } from '../engine/device/open-device.js';
import { engineCall } from '../engine/engine-call.js';
import { loadAddon } from '../engine/load/load-addon.js';
import { CausalLM } from '../model/causal-lm.js';
import { checkModelFiles } from '../model/check-model-files.js';
import { locateModel, type LocatedModel } from '../model/files/located-model.js';
import { fitVocabulary } from '../model/fit-vocabulary.js';
import { longestRow } from '../model/longest-row.js';
import { hubOptions } from '../open/hub-options.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import { trainingTokenizer } from '../tokenizer/training-tokenizer.js';
import { RunView } from '../trackers/run-view.js';
import { readLaunch } from '../ranks/launch.js';
import { engineTypes } from '../trainer/step/engine-types.js';
import { runPrecision } from '../trainer/step/run-precision.js';
import type { JudgingHooks, JudgingProgress } from './judging-hooks.js';

/** A model that was found, and the tokenizer that rows are made with for it. */
export interface ModelToJudge {
  name: string;
  source: LocatedModel;
  tokenizer: Tokenizer;
  /** Tokens of a row at most. */
  longest: number;
}

/** Shows what judging needs shown, and tells the caller's functions. */
export class JudgingView {
  readonly run: RunView;
  private readonly line: LiveLine | undefined;
  private drawnAt = 0;

  constructor(private readonly hooks: JudgingHooks) {
    const { progress, onHub, onData, onWarning } = hooks;
    this.run = new RunView({
      ...{ progress, onHub, onData },
      onEvent: (event) => (event.type === 'warning' ? onWarning?.(event.message) : undefined),
    });
    this.line = progress === false ? undefined : new LiveLine(process.stderr);
  }

  readonly onProgress = (progress: JudgingProgress): void => {
    const { model, done, total } = progress;
    this.hooks.onProgress?.(progress);
    if (this.line === undefined) return;
    if (done >= total) return this.line.clear();
    const now = performance.now();
    if (now - this.drawnAt < 80) return;
    this.drawnAt = now;
    const text = ` ${model}: ${format.count(done)} of ${format.count(total)} rows`;
    this.line.draw(`${this.line.bar(done / total, 24)}${text.slice(-Math.max(0, this.line.width - 24))}`);
  };
}

/**
 * Finds a model and its tokenizer, as a run would; its weights are not read yet.
 * @param revision branch, tag or commit of a model on the Hub; default: main
 * @throws AdaptiveTrainerError what opening the model throws
 */
export async function findModelToJudge(
  name: string,
  config: ParsedConfig,
  { run: view }: JudgingView,
  signal: AbortSignal | undefined,
  revision?: string,
): Promise<ModelToJudge> {
  const hub = { ...hubOptions(view, signal), revision };
  const source = await locateModel(name, hub);
  const { decoder } = await checkModelFiles(source, { ...hub, ignoreDropout: true });
  await source.fetch('without weights');
  const { chatTemplate, maxLengthToken } = config.trainingConfig;
  const tokenizer = await trainingTokenizer(source.dir, chatTemplate, view.warn('CHAT_TEMPLATE'));
  return { name, source, tokenizer, longest: longestRow(maxLengthToken, decoder, view.warn('MAX_LENGTH')) };
}

/** Opens it in the type that a run with this configuration computes in. The caller disposes of it. */
export async function openToJudge(
  { source, tokenizer }: ModelToJudge,
  config: ParsedConfig,
  { run: view }: JudgingView,
  signal: AbortSignal | undefined,
): Promise<CausalLM> {
  const args = config.trainingConfig;
  throwIfAborted(signal, stopped);
  await source.fetch();
  await engineCall(() => loadAddon().setThreads({ threads: args.threads ?? 0 }));
  const model = await CausalLM.fromPretrained(source.dir, {
    device: args.device,
    attnImpl: args.attnImpl,
    ignoreDropout: true,
    dtype: engineTypes(runPrecision(args, openDevice(args.device, readLaunch))).computeType,
    ...(isAdapterFolder(source.dir) ? { minVocabSize: tokenizer.vocabSize } : {}),
  });
  try {
    await fitVocabulary(model, tokenizer, args.seed, view.warn('VOCABULARY_RESIZED'));
    return model;
  } catch (error) {
    model.dispose();
    throw error;
  }
}

export const stopped = 'Stopped before all rows were judged. Nothing was written.';
