import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { AdaptiveLossConfig, TrainingConfig } from '../config/schema/parsed-config.js';
import { parseTrainerConfig } from '../config/read/parse-trainer-config.js';
import type { TrainingRow } from '../events/training-row.js';
import { AdaptiveTrainerError } from '../errors.js';
import { adaptiveState } from '../loss/adaptive-state.js';
import type { CausalLM } from '../model/causal-lm.js';
import type { SaveOptions } from '../model/files/save-pretrained.js';
import type { AdaptiveState, LossRequest } from '../engine/addon.js';
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
} from '../events/training-event.js';
import type { AdaptiveTrainerOptions } from './adaptive-trainer-options.js';
import { Checkpoints } from './checkpoint/checkpoints.js';
import { fingerprint } from './checkpoint/fingerprint.js';
import type { Fingerprint } from './checkpoint/run-state.js';
import { checkDataset } from './batches/check-dataset.js';
import { chunked } from './batches/chunked.js';
import { confidence } from './step/confidence.js';
import { countRows } from './batches/count-rows.js';
import { evaluateRows } from './evaluation/evaluate-rows.js';
import { isRowArray } from './batches/is-row-array.js';
import { learningRate } from './step/learning-rate.js';
import { NumberGuard } from './step/number-guard.js';
import { prepareEngine } from './step/prepare-engine.js';
import { planRun, type RunPlan } from './step/run-plan.js';
import { runWarnings } from './step/run-warnings.js';
import { StepLog } from './step/step-log.js';
import { takeStep } from './step/take-step.js';
import type { TokenBatch, TokenStatisticsArrays } from './step/token-statistics.js';
import { ioError } from '../common/write-durably.js';
import { hookOf } from './trainer-callback.js';
import { trainBatches } from './batches/train-batches.js';

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
    this.guard = new NumberGuard(this.model, args.onNonFinite);
    checkDataset(options.trainDataset, 'trainDataset', this.model.vocabSize);
    if (options.evalDataset !== undefined)
      checkDataset(options.evalDataset, 'evalDataset', this.model.vocabSize);
  }

  /**
   * Runs to the end of the last epoch or `maxSteps`.
   * @param options.resumeFromCheckpoint a checkpoint's folder, or true for the newest in outputDir; default: that of `args`
   * @throws AdaptiveTrainerError ABORTED, LOSS_NOT_FINITE, CHECKPOINT_INVALID, CHECKPOINT_MISMATCH, …
   */
  async train({ resumeFromCheckpoint }: { resumeFromCheckpoint?: boolean | string } = {}): Promise<EndEvent> {
    const started = performance.now();
    const { evalDataset, trainDataset, trackers = [] } = this.options;
    this.plan = planRun(isRowArray(trainDataset) ? trainDataset : undefined, this.args);
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
    const found = await evaluateRows(this.model, evalDataset, this.args.evalBatchSize, {
      ...this.lossRequest(),
      scale: 1,
    });
    const event: EvaluateEvent = { type: 'evaluate', step: this.step, epoch: this.epoch, ...found };
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
    if (!isRowArray(trainDataset)) return chunked(trainDataset, this.args.batchSize);
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
    const engine = await prepareEngine(model, trainDataset, args);
    await this.restore(resumeFrom);
    if (this.options.datasetReport) await this.emit({ type: 'datasets', report: this.options.datasetReport });
    await this.emit({
      ...{ type: 'start', runName: args.runName, steps: this.plan.totalSteps, epochs: this.plannedEpochs() },
      ...{ ...countRows(trainDataset, evalDataset), ...engine },
    });
    for (const warning of configWarnings) await this.emit({ type: 'warning', ...warning });
    for (const warning of runWarnings(args, outputDir, this.plan.totalSteps)) await this.emit(warning);
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
    this.guard = new NumberGuard(this.model, this.args.onNonFinite, state?.guard);
  }

  private async runEpochs(): Promise<void> {
    const { totalSteps } = this.plan;
    while (this.step < totalSteps && !this.stopping) {
      for await (const window of this.windowsLeft()) {
        await this.checkAborted();
        const event = await this.runStep(window);
        this.windowsDone++;
        if (event !== undefined) await this.reportStep(event);
        await this.afterStep();
        if (this.step >= totalSteps || this.stopping) break;
      }
      if (this.windowsDone === 0) {
        const message = `Expected micro-batches in epoch ${this.epochIndex}, found none.`;
        throw new AdaptiveTrainerError('DATASET_INVALID', message);
      }
      if (this.stopping) break;
      if (this.args.evalStrategy === 'epoch' && this.options.evalDataset !== undefined) await this.evaluate();
      this.epochIndex++;
      this.windowsDone = 0;
      if (this.args.saveStrategy === 'epoch') await this.saveCheckpoint();
    }
    await this.checkAborted();
  }

  /** What is still to be done of the epoch, one optimizer step after the other. */
  private async *windowsLeft(): AsyncGenerator<TrainingRow[][], void, undefined> {
    const { args, epochIndex: epoch, windowsDone } = this;
    const { trainDataset } = this.options;
    const perStep = args.gradientAccumulationSteps;
    if (isRowArray(trainDataset) && this.trainBatches === AdaptiveTrainer.prototype.trainBatches) {
      yield* chunked(trainBatches(trainDataset, args, { epoch, position: windowsDone * perStep }), perStep);
      return;
    }
    // Nobody knows how to begin in the middle here: what was done before the checkpoint is passed over.
    let windows = 0;
    for await (const window of chunked(this.trainBatches(epoch), perStep)) {
      if (windows++ >= windowsDone) yield window;
    }
  }

  /** One optimizer step; undefined where it was skipped because its numbers were not finite. */
  private async runStep(window: TrainingRow[][]): Promise<StepEvent | undefined> {
    const { guard, adaptiveState: before } = this;
    const step = this.step + 1;
    const learningRate = this.learningRate(this.step);
    const started = performance.now();
    const report = await takeStep(this.model, {
      ...{ step, window, loss: this.lossRequest(), tokenWeights: this.weightsOverride() },
      ...{ learningRate, maxGradNorm: this.args.maxGradNorm, seed: this.args.seed },
    }).catch((cause: unknown) => guard.onNonFinite(cause, step, window));
    this.step = step;
    if ('type' in report || report.skipped) {
      await this.emit('type' in report ? report : guard.onOverflow(report.lossScale, step));
      return undefined;
    }
    const { loss, gradNorm, lossScale, statistics, state, tokens, labelledTokens } = report;
    this.adaptiveState = state;
    const warning = guard.onStep(gradNorm, step);
    if (warning !== undefined) await this.emit(warning);
    const secondsPerStep = (performance.now() - started) / 1000;
    const { skippedSteps } = guard.state;
    return {
      ...{ type: 'step', step, epoch: this.epoch, loss, gradNorm, learningRate },
      ...{ tokens, labelledTokens, tokensPerSecond: tokens / secondsPerStep },
      ...{ alpha: before.alpha, beta: before.beta, statistics, secondsPerStep },
      etaSeconds: this.log.etaSeconds(secondsPerStep, this.plan.totalSteps - step),
      ...(lossScale === 1 ? {} : { lossScale }),
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
    const { adaptiveState, log, guard } = this;
    return this.checkpoints.save(
      {
        ...{ step, epochIndex, windowsDone, adaptiveState, log: log.state, guard: guard.state },
        fingerprint: this.fingerprint(),
      },
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
      isRowArray(rows) ? rows : undefined,
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

  private lossRequest(): Omit<LossRequest, 'scale'> {
    const { loss, topK } = this.adaptiveLoss;
    const threshold = confidence(this.epoch, this.adaptiveLoss);
    return { loss, topK, confidence: threshold, state: this.adaptiveState };
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
