import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { AdaptiveLossConfigInput, TrainingConfigInput } from './config/train-adaptively-options.js';
import type { AdaptiveLossConfig, TrainingConfig } from './config/parsed-config.js';
import { describeValue } from './config/describe-value.js';
import { parseTrainerConfig } from './config/parse-trainer-config.js';
import type { DatasetReport } from './data/mixed-datasets.js';
import type { TrainingRow } from './data/training-row.js';
import { AdaptiveTrainerError } from './errors.js';
import { adaptiveState } from './loss/adaptive-state.js';
import { lossStatistics } from './loss/loss-statistics.js';
import type { CausalLM } from './model/causal-lm.js';
import type { SaveOptions } from './model/save-pretrained.js';
import type { AdaptiveState, LossRequest } from './native/addon.js';
import { engineCall } from './native/engine-call.js';
import { loadAddon } from './native/load-addon.js';
import type { Tokenizer } from './tokenizer/tokenizer.js';
import type { Tracker } from './tracking/tracker.js';
import type {
  AdaptiveEvent,
  DatasetsEvent,
  EndEvent,
  EvaluateEvent,
  LogEvent,
  SaveEvent,
  StartEvent,
  StepEvent,
  TrainingEvent,
  WarningEvent,
} from './tracking/training-event.js';
import { Checkpoints } from './trainer/checkpoint/checkpoints.js';
import { fingerprint } from './trainer/checkpoint/fingerprint.js';
import type { Fingerprint } from './trainer/checkpoint/run-state.js';
import { checkRow } from './trainer/check-rows.js';
import { chunked } from './trainer/chunked.js';
import { confidence } from './trainer/confidence.js';
import { Evaluation } from './trainer/evaluation.js';
import { learningRate } from './trainer/learning-rate.js';
import { labelledTokens, microBatch } from './trainer/micro-batch.js';
import { NumberGuard } from './trainer/number-guard.js';
import { optimizerRequest } from './trainer/optimizer-request.js';
import { reportMemory } from './trainer/report-memory.js';
import { planRun, type RunPlan } from './trainer/run-plan.js';
import { StepLog, addStatistics } from './trainer/step-log.js';
import type { TokenBatch, TokenStatisticsArrays } from './trainer/token-statistics.js';
import { ioError } from './write-durably.js';
import { hookOf, type TrainerCallback } from './trainer/trainer-callback.js';
import { trainBatches } from './trainer/train-batches.js';
import { trainMicroBatch } from './trainer/train-micro-batch.js';

export type TrainingRows = readonly TrainingRow[] | AsyncIterable<TrainingRow>;

export interface AdaptiveTrainerOptions {
  model: CausalLM;
  /** Saved beside the model. */
  tokenizer?: Tokenizer;
  /** An array, or an async iterable that is gone through once per epoch (then `args.maxSteps` is needed). */
  trainDataset: TrainingRows;
  evalDataset?: TrainingRows;
  /** The keys of `trainingConfig`, in either spelling; those of `adaptiveLossConfig` may stand among them. */
  args?: TrainingConfigInput & AdaptiveLossConfigInput;
  adaptiveLoss?: AdaptiveLossConfigInput;
  /** Where checkpoints and, at the end, `final_model` go. Default: nothing is written. */
  outputDir?: string;
  /** What became of each dataset, to be reported before the first step (`DatasetMixer.build`). */
  datasetReport?: DatasetReport[];
  callbacks?: readonly TrainerCallback[];
  trackers?: readonly Tracker[];
  /** Aborting ends the run after the step it is in; `train` then rejects with ABORTED. */
  signal?: AbortSignal;
}

/**
 * Trains a model on rows of token ids. Made to be extended: override `tokenWeights` for another loss, `learningRate` for
 * another schedule, `trainBatches` for another order, and the `on…` methods to watch.
 *
 * @example
 * const trainer = new AdaptiveTrainer({ model, tokenizer, trainDataset, args: { learningRate: 1e-4, bf16: true } });
 * await trainer.train();
 * await trainer.saveModel('./out');
 */
export class AdaptiveTrainer {
  readonly model: CausalLM;
  readonly args: TrainingConfig;
  readonly adaptiveLoss: AdaptiveLossConfig;
  /** α and β as they stand. */
  adaptiveState: AdaptiveState = adaptiveState();
  private readonly configWarnings: readonly { code: string; message: string }[];
  private checkpoints: Checkpoints;
  private log = new StepLog();
  private plan: RunPlan = { totalSteps: 0, stepsPerEpoch: undefined };
  private step = 0;
  private epochIndex = 0;
  private windowsDone = 0;
  private stopping = false;
  private guard: NumberGuard;
  private hashedRun: Fingerprint | undefined;

  /**
   * @throws AdaptiveTrainerError CONFIG_INVALID for faults of `args`, all at once; DATASET_INVALID for the first row that
   * cannot be trained on; INVALID_INPUT for a topK above the vocabulary
   */
  constructor(private readonly options: AdaptiveTrainerOptions) {
    const { args, adaptiveLoss, warnings } = parseTrainerConfig(options);
    this.model = options.model;
    this.args = args;
    this.adaptiveLoss = adaptiveLoss;
    this.configWarnings = warnings;
    const { topK } = adaptiveLoss;
    if (topK > this.model.vocabSize) {
      const message = `Expected topK of at most the vocabulary (${this.model.vocabSize}), found ${topK}.`;
      throw new AdaptiveTrainerError('INVALID_INPUT', message, {
        details: { topK, vocabSize: this.model.vocabSize },
      });
    }
    this.checkpoints = this.newCheckpoints();
    this.guard = new NumberGuard(this.model, args.onNonFinite, undefined);
    this.checkRows(options.trainDataset, 'trainDataset');
    if (options.evalDataset !== undefined) this.checkRows(options.evalDataset, 'evalDataset');
  }

  /**
   * Runs to the end of the last epoch or `maxSteps`.
   * @param options.resumeFromCheckpoint a checkpoint's folder, or true for the newest in outputDir; default: that of `args`
   * @throws AdaptiveTrainerError ABORTED, LOSS_NOT_FINITE, CHECKPOINT_INVALID, CHECKPOINT_MISMATCH, …
   */
  async train({ resumeFromCheckpoint }: { resumeFromCheckpoint?: boolean | string } = {}): Promise<EndEvent> {
    const started = performance.now();
    const { evalDataset, trainDataset, trackers = [] } = this.options;
    this.plan = planRun(isArray(trainDataset) ? trainDataset : undefined, this.args);
    try {
      await this.prepare(resumeFromCheckpoint ?? this.args.resumeFromCheckpoint);
      if (this.args.evalOnStart && this.step === 0 && evalDataset !== undefined) await this.evaluate();
      await this.runEpochs();
      if (this.log.hasRecent) await this.emit(this.log.takeLog());
      const path = await this.saveFinalModel();
      const end = this.endEvent(path, (performance.now() - started) / 1000);
      await this.emit(end);
      return end;
    } finally {
      // Whatever ended the run, the model can be trained again.
      await this.model.call((native) => native.clearGradients()).catch(() => {});
      for (const tracker of trackers) await tracker.close();
    }
  }

  /** Ends the run after the step it is in, as if it had been the last one. */
  stop(): void {
    this.stopping = true;
  }

  /** Loss, accuracy and token shares on `evalDataset`. Moves neither weights nor α and β. */
  async evaluate(): Promise<EvaluateEvent> {
    const { evalDataset } = this.options;
    if (evalDataset === undefined) {
      throw new AdaptiveTrainerError('INVALID_INPUT', 'Expected an evalDataset to evaluate on, found none.');
    }
    const started = performance.now();
    const evaluation = new Evaluation(this.adaptiveLoss.topK);
    let lossSum = 0;
    let index = 0;
    for await (const rows of chunked(evalDataset, this.args.evalBatchSize)) {
      for (const row of rows) checkRow(row, index++, 'evalDataset', this.model.vocabSize);
      const report = await this.model.call((native) =>
        native.evaluate({ ...microBatch(rows), ...this.lossRequest(1) }),
      );
      evaluation.add(rows, report.tokens);
      lossSum += report.loss * report.sums.total;
    }
    const metrics = evaluation.metrics();
    const event: EvaluateEvent = {
      ...{ type: 'evaluate', step: this.step, epoch: this.epoch, ...metrics },
      ...(this.adaptiveLoss.loss === 'adaptive'
        ? { adaptiveLoss: lossSum / Math.max(1, metrics.labelledTokens) }
        : {}),
      seconds: (performance.now() - started) / 1000,
      bySource: evaluation.bySource(),
      byStyle: evaluation.byStyle(),
    };
    await this.emit(event);
    return event;
  }

  /** Writes the model, and the tokenizer where one was given, in Hugging Face's layout. */
  async saveModel(dir: string, options: SaveOptions = {}): Promise<void> {
    await this.model.savePretrained(dir, options);
    if (this.options.tokenizer === undefined) return;
    this.options.tokenizer.paddingSide = this.args.paddingSide;
    await this.options.tokenizer.savePretrained(dir);
  }

  /**
   * Override for any loss of the form Σ wₜ·nllₜ: the weight of each labelled token of a micro-batch. undefined (default)
   * takes the configured loss. The weights of a window's micro-batches are scaled by their share of its labelled tokens.
   */
  protected tokenWeights(_statistics: TokenStatisticsArrays, _batch: TokenBatch): Float32Array | undefined {
    return undefined;
  }

  /** Override for another schedule. The learning rate of optimizer step `step`, counted from 0. */
  protected learningRate(step: number): number {
    const { lrSchedulerType: type, lrSchedulerKwargs: kwargs, warmupSteps, minLrRate } = this.args;
    const { totalSteps } = this.plan;
    return learningRate(step, {
      ...{ type, kwargs, learningRate: this.args.learningRate, warmupSteps, minLrRate, totalSteps },
    });
  }

  /** Override for another order. The micro-batches of one epoch, counted from 0. */
  protected trainBatches(epoch: number): Iterable<TrainingRow[]> | AsyncIterable<TrainingRow[]> {
    const { trainDataset } = this.options;
    if (!isArray(trainDataset)) return chunked(trainDataset, this.args.batchSize);
    return trainBatches(trainDataset, this.args, { epoch, position: 0 });
  }

  // To override: each sees its event before the callbacks and trackers do, and is awaited.
  protected onDatasets(_event: DatasetsEvent): void | Promise<void> {}
  protected onStart(_event: StartEvent): void | Promise<void> {}
  protected onStepEnd(_event: StepEvent): void | Promise<void> {}
  protected onLog(_event: LogEvent): void | Promise<void> {}
  protected onAdaptive(_event: AdaptiveEvent): void | Promise<void> {}
  protected onEvaluate(_event: EvaluateEvent): void | Promise<void> {}
  protected onSave(_event: SaveEvent): void | Promise<void> {}
  protected onWarning(_event: WarningEvent): void | Promise<void> {}
  protected onEnd(_event: EndEvent): void | Promise<void> {}

  private async prepare(resumeFrom: boolean | string | null): Promise<void> {
    const { args, configWarnings, model } = this;
    const { outputDir, trainDataset, evalDataset } = this.options;
    if (outputDir !== undefined) {
      await mkdir(outputDir, { recursive: true }).catch((cause: unknown) => {
        throw ioError(outputDir, cause);
      });
    }
    const threads = await engineCall(() => loadAddon().setThreads({ threads: args.threads ?? 0 }));
    const memory = isArray(trainDataset) ? await reportMemory(model, trainDataset, args) : undefined;
    const computeType = args.precision === 'fp32' ? 'float32' : 'bfloat16';
    const masterType = args.precision === 'bf16-true' ? 'bfloat16' : 'float32';
    await model.configure(computeType, args.gradientCheckpointing, masterType);
    await model.call((native) => native.createOptimizer(optimizerRequest(args)));
    await this.restore(resumeFrom);
    if (this.options.datasetReport) await this.emit({ type: 'datasets', report: this.options.datasetReport });
    await this.emit({
      ...{ type: 'start', runName: args.runName, steps: this.plan.totalSteps, epochs: this.plannedEpochs() },
      ...{ trainRows: lengthOf(trainDataset) ?? 0, evalRows: evalDataset ? (lengthOf(evalDataset) ?? 0) : 0 },
      ...(isArray(trainDataset)
        ? { tokensPerEpoch: trainDataset.reduce((n, row) => n + row.inputIds.length, 0) }
        : {}),
      ...{ device: 'cpu', dtype: computeType, threads, parameters: model.parameterCount },
      ...(memory === undefined ? {} : { memory }),
    });
    for (const warning of configWarnings) await this.emit({ type: 'warning', ...warning });
    if (args.fp16) {
      const message =
        'float16 has no fast path on a CPU: fp16 computes in bfloat16. Set bf16: true to say so yourself.';
      await this.emit({ type: 'warning', code: 'FP16_COMPUTES_IN_BF16', message });
    }
    if (outputDir === undefined && args.saveStrategy === 'steps' && this.plan.totalSteps >= args.saveSteps) {
      const message = 'No checkpoints are written: the trainer was given no outputDir.';
      await this.emit({ type: 'warning', code: 'NO_CHECKPOINTS', message });
    }
  }

  /** From the checkpoint that is resumed, or from the start. */
  private async restore(resumeFrom: boolean | string | null): Promise<void> {
    this.checkpoints = this.newCheckpoints();
    const state = await this.checkpoints.resume(resumeFrom, () => this.fingerprint());
    this.step = state?.step ?? 0;
    this.epochIndex = state?.epochIndex ?? 0;
    this.windowsDone = state?.windowsDone ?? 0;
    this.adaptiveState = adaptiveState(state?.adaptiveState);
    this.log = new StepLog(state?.log);
    this.stopping = false;
    const { trainDataset } = this.options;
    const dataset = isArray(trainDataset) ? trainDataset : undefined;
    this.guard = new NumberGuard(this.model, this.args.onNonFinite, dataset);
  }

  private async runEpochs(): Promise<void> {
    const { totalSteps } = this.plan;
    for (; this.step < totalSteps && !this.stopping; this.epochIndex++, this.windowsDone = 0) {
      let windows = 0;
      for await (const window of chunked(
        this.trainBatches(this.epochIndex),
        this.args.gradientAccumulationSteps,
      )) {
        // Of the epoch that a checkpoint lies in, what was done before it is passed over.
        if (windows++ < this.windowsDone) continue;
        await this.checkAborted();
        const event = await this.runStep(window);
        this.windowsDone++;
        if (event !== undefined) await this.reportStep(event);
        await this.afterStep();
        if (this.step >= totalSteps || this.stopping) break;
      }
      if (windows === 0) {
        throw new AdaptiveTrainerError(
          'DATASET_INVALID',
          `Expected micro-batches in epoch ${this.epochIndex}, found none.`,
        );
      }
      if (this.stopping) break;
      if (this.args.evalStrategy === 'epoch' && this.options.evalDataset !== undefined) await this.evaluate();
      if (this.args.saveStrategy === 'epoch') await this.saveCheckpoint();
    }
    await this.checkAborted();
  }

  /** One optimizer step; undefined where it was skipped because its numbers were not finite. */
  private async runStep(window: TrainingRow[][]): Promise<StepEvent | undefined> {
    const before = this.adaptiveState;
    try {
      const event = await this.takeStep(window);
      const warning = this.guard.onStep(event.gradNorm, event.step);
      if (warning !== undefined) await this.emit(warning);
      return event;
    } catch (cause) {
      const warning = await this.guard.onNonFinite(cause, this.step + 1, window);
      this.adaptiveState = before;
      this.step++;
      await this.emit(warning);
      return undefined;
    }
  }

  private async takeStep(window: TrainingRow[][]): Promise<StepEvent> {
    const started = performance.now();
    // Rows of an array have been checked, but trainBatches may be overridden and a stream brings any.
    const rows = window.flat();
    if (rows.length === 0) {
      const message = `Expected at least one row in the micro-batches of step ${this.step + 1}, found none.`;
      throw new AdaptiveTrainerError('DATASET_INVALID', message);
    }
    rows.forEach((row, i) => checkRow(row, i, `step ${this.step + 1}`, this.model.vocabSize));
    const counts = window.map(labelledTokens);
    const labelled = counts.reduce((sum, count) => sum + count, 0);
    const used = this.adaptiveState;
    let loss = 0;
    let statistics: StepEvent['statistics'] | undefined;
    for (const [i, rows] of window.entries()) {
      // Each micro-batch counts by its share of the window's labelled tokens, so that a window is one large batch.
      const share = counts[i]! / labelled;
      const state = this.adaptiveState;
      const request = this.lossRequest(share);
      const report = await trainMicroBatch(this.model, microBatch(rows), request, this.weightsOverride());
      this.adaptiveState = report.state;
      loss += share * report.loss;
      statistics = addStatistics(statistics, lossStatistics(report.sums, state));
    }
    const rate = this.learningRate(this.step);
    const { maxGradNorm } = this.args;
    const gradNorm = await this.model.call((native) =>
      native.optimizerStep({ learningRate: rate, maxGradNorm }),
    );
    const { skippedSteps } = this.guard;
    this.step++;
    const tokens = window.flat().reduce((sum, row) => sum + row.inputIds.length, 0);
    const secondsPerStep = (performance.now() - started) / 1000;
    return {
      ...{ type: 'step', step: this.step, epoch: this.epoch, loss, gradNorm, learningRate: rate },
      ...{ tokens, labelledTokens: labelled, tokensPerSecond: tokens / secondsPerStep },
      ...{ alpha: used.alpha, beta: used.beta, statistics: statistics!, secondsPerStep },
      etaSeconds: this.log.etaSeconds(secondsPerStep, this.plan.totalSteps - this.step),
      ...(skippedSteps > 0 ? { skippedSteps } : {}),
    };
  }

  private async reportStep(event: StepEvent): Promise<void> {
    const due = (every: number) => event.step % every === 0;
    this.log.add(event);
    await this.emit(event);
    if (due(this.args.loggingSteps)) await this.emit(this.log.takeLog());
    if (due(this.adaptiveLoss.adaptiveLogSteps)) await this.emit(this.log.adaptive(event));
  }

  private async afterStep(): Promise<void> {
    const { args } = this;
    const due = (every: number) => this.step % every === 0;
    if (args.evalStrategy === 'steps' && due(args.evalSteps) && this.options.evalDataset !== undefined) {
      await this.evaluate();
    }
    if (args.saveStrategy === 'steps' && due(args.saveSteps)) await this.saveCheckpoint();
  }

  private async saveCheckpoint(): Promise<string | undefined> {
    const { step, epochIndex, windowsDone } = this;
    const state = { step, epochIndex, windowsDone, adaptiveState: this.adaptiveState, log: this.log.state };
    return this.checkpoints.save(
      { ...state, fingerprint: this.fingerprint() },
      this.epoch,
      this.plan.totalSteps,
    );
  }

  private newCheckpoints(): Checkpoints {
    const { model, args, options } = this;
    const saveModel = (dir: string) => this.saveModel(dir);
    return new Checkpoints({
      model,
      args,
      outputDir: options.outputDir,
      saveModel,
      emit: (event) => this.emit(event),
    });
  }

  private fingerprint(): Fingerprint {
    const rows = this.options.trainDataset;
    // Hashing every row once is enough: they do not change during a run.
    this.hashedRun ??= fingerprint(
      this.model,
      isArray(rows) ? rows : undefined,
      this.args,
      this.adaptiveLoss,
    );
    return this.hashedRun;
  }

  /** Returns its folder; empty where there is no outputDir. */
  private async saveFinalModel(): Promise<string> {
    const { outputDir } = this.options;
    if (outputDir === undefined) return '';
    const path = join(outputDir, 'final_model');
    await this.saveModel(path, { dtype: this.args.saveDtype });
    await this.emit({ type: 'save', step: this.step, path });
    return path;
  }

  private async emit(event: TrainingEvent): Promise<void> {
    const { callbacks = [], trackers = [] } = this.options;
    this.checkpoints.record(event);
    const hook = hookOf[event.type];
    // The key of the hook and the type of the event belong together, which TypeScript cannot follow.
    const own = this[hook] as
      ((event: TrainingEvent, trainer: AdaptiveTrainer) => void | Promise<void>) | undefined;
    await own?.call(this, event, this);
    for (const callback of callbacks) await (callback[hook] as typeof own)?.call(callback, event, this);
    for (const tracker of trackers) await tracker.onEvent(event);
  }

  /** Epochs done, as a fraction; whole epochs of a stream are not known. */
  private get epoch(): number {
    return this.plan.stepsPerEpoch === undefined ? 0 : this.step / this.plan.stepsPerEpoch;
  }

  private plannedEpochs(): number {
    const { totalSteps, stepsPerEpoch } = this.plan;
    return stepsPerEpoch === undefined ? 1 : totalSteps / stepsPerEpoch;
  }

  private lossRequest(scale: number): LossRequest {
    const { loss, topK } = this.adaptiveLoss;
    const threshold = confidence(this.epoch, this.adaptiveLoss);
    return { loss, topK, confidence: threshold, scale, state: this.adaptiveState };
  }

  private weightsOverride() {
    if (this.tokenWeights === AdaptiveTrainer.prototype.tokenWeights) return undefined;
    return (statistics: TokenStatisticsArrays, batch: TokenBatch) => this.tokenWeights(statistics, batch);
  }

  private async checkAborted(): Promise<void> {
    const { signal } = this.options;
    if (!signal?.aborted) return;
    const checkpoint = this.step > 0 ? await this.saveCheckpoint() : undefined;
    const saved =
      checkpoint === undefined
        ? ''
        : ` Its state is in ${checkpoint}: resume with resumeFromCheckpoint: true.`;
    throw new AdaptiveTrainerError(
      'ABORTED',
      `The run was aborted after step ${this.step} of ${this.plan.totalSteps}.${saved}`,
      { cause: signal.reason, details: { step: this.step, checkpoint } },
    );
  }

  private checkRows(rows: TrainingRows, name: string): void {
    if (!isArray(rows)) {
      if (typeof rows === 'object' && rows !== null && Symbol.asyncIterator in rows) return;
      throw new AdaptiveTrainerError(
        'DATASET_INVALID',
        `Expected an array or an async iterable of rows for ${name}, found ${describeValue(rows)}.`,
      );
    }
    if (rows.length === 0)
      throw new AdaptiveTrainerError('DATASET_INVALID', `Expected rows in ${name}, found none.`);
    rows.forEach((row, index) => checkRow(row, index, name, this.model.vocabSize));
  }

  private endEvent(path: string, seconds: number): EndEvent {
    const { meanLoss: loss, tokensPerSecond } = this.log;
    const { tokens, labelledTokens: labelled } = this.log.state;
    return {
      ...{ type: 'end', path, steps: this.step, epochs: this.epoch, seconds },
      ...{ loss, tokens, labelledTokens: labelled, tokensPerSecond },
      peakMemoryBytes: process.resourceUsage().maxRSS * 1024,
    };
  }
}

function isArray(rows: TrainingRows): rows is readonly TrainingRow[] {
  return Array.isArray(rows);
}

function lengthOf(rows: TrainingRows): number | undefined {
  return isArray(rows) ? rows.length : undefined;
}
