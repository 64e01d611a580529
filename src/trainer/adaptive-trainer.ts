import { join } from 'node:path';
import { parseTrainerConfig } from '../config/read/parse-trainer-config.js';
import type { AdaptiveLossConfig, Precision, TrainingConfig } from '../config/schema/parsed-config.js';
import type { AdaptiveState, OptimizerReport } from '../engine/addon.js';
import { AdaptiveTrainerError } from '../errors.js';
import type { EndEvent, EvaluateEvent, TrainingEvent } from '../events/training-event.js';
import type { TrainingRow } from '../events/training-row.js';
import type { CausalLM } from '../model/causal-lm.js';
import type { SaveOptions } from '../model/files/save-pretrained.js';
import { stopAtEndOfTurn } from '../model/generation/stop-at-end-of-turn.js';
import { joinRanks } from '../ranks/join-ranks.js';
import { oneRank, type Ranks } from '../ranks/ranks.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import type { AdaptiveTrainerOptions } from './adaptive-trainer-options.js';
import { chunked } from '../common/chunked.js';
import { isRowArray } from './batches/is-row-array.js';
import { onePass } from './batches/one-pass.js';
import { settingsOfAll } from './batches/rank-part.js';
import { trainBatches } from './batches/train-batches.js';
import type { TrainingRows } from './batches/training-rows.js';
import { checkOptions } from './check-options.js';
import { Checkpoints } from './checkpoint/checkpoints.js';
import { fingerprint } from './checkpoint/fingerprint.js';
import type { Fingerprint } from './checkpoint/run-state.js';
import { evaluateRows, type EvaluationReport } from './evaluation/evaluate-rows.js';
import { isEvaluationDue } from './evaluation/evaluation-due.js';
import { finalDtype } from './final-dtype.js';
import { prepareRun } from './prepare-run.js';
import { RankAgreement } from './rank-agreement.js';
import { Run } from './run.js';
import { RunControl } from './run-control.js';
import type { RunHost } from './run-host.js';
import type { RunParts } from './run-parts.js';
import type { RunProgress } from './run-progress.js';
import { runToEnd } from './run-to-end.js';
import { saveHere, writeHere } from './save-here.js';
import { learningRate, scheduleOf } from './step/learning-rate.js';
import { noPlan } from './step/run-plan.js';
import { runPrecision } from './step/run-precision.js';
import { takeStep, type MicroBatchPlace, type MicroBatchReport, type StepReport } from './step/take-step.js';
import type { TokenBatch, TokenStatisticsArrays } from './step/token-statistics.js';
import { trainMicroBatch } from './step/train-micro-batch.js';
import { TrainerEvents } from './trainer-events.js';
import { whileRanksTrain, whileTraining } from './while-training.js';

/**
 * Trains a model on rows of token ids. Made to be extended: each protected method is a part of the run that a subclass may
 * replace, or wrap by calling `super`, without copying the others. They call each other like this:
 *
 *     train ── trainBatches ─ trainStep ─┬ trainMicroBatch ─ tokenWeights      for each micro-batch of a step
 *        │                               └ optimizerStep
 *        │  after each step: afterStep ─┬ evaluate ─ evaluateRows
 *        │                              └ saveCheckpoint
 *        └─ at the end: saveFinalModel ─ saveModel
 *
 * @example
 * const trainer = new AdaptiveTrainer({ model, tokenizer, trainDataset, args: { learningRate: 1e-4, bf16: true } });
 * await trainer.train();
 * await trainer.saveModel('./out');
 */
export class AdaptiveTrainer extends TrainerEvents {
  readonly model: CausalLM;
  readonly args: TrainingConfig;
  readonly adaptiveLoss: AdaptiveLossConfig;
  /** What it computes in on this machine; `args.precision` is null where that was left to the machine. */
  readonly precision: Precision;
  private readonly configWarnings: readonly { code: string; message: string }[];
  /** The processes that train together; one, unless a launcher started several. Known once `train` has begun. */
  ranks: Ranks = oneRank;
  /** Pauses the run, and does what is asked between two of its steps. */
  readonly control = new RunControl();
  private readonly options: AdaptiveTrainerOptions;
  private readonly parts: RunParts;
  private hashedRun: Promise<Fingerprint> | undefined;

  /**
   * @throws AdaptiveTrainerError CONFIG_INVALID for faults of `args`, all at once; DATASET_INVALID for the first row that
   * cannot be trained on; INVALID_INPUT for a topK above the vocabulary
   */
  constructor(options: AdaptiveTrainerOptions) {
    super(options);
    const { args, adaptiveLoss, outputDir, warnings } = parseTrainerConfig(options);
    this.options = { ...options, ...(outputDir === undefined ? {} : { outputDir }) };
    this.model = options.model;
    this.args = args;
    this.precision = runPrecision(args, this.model.device);
    this.adaptiveLoss = adaptiveLoss;
    this.configWarnings = warnings;
    checkOptions({ ...this.options, outputDir }, args, adaptiveLoss);
    this.parts = {
      run: new Run(this, noPlan),
      checkpoints: this.newCheckpoints(),
      agreement: new RankAgreement(this.ranks, this.control, options.signal),
      pullPerRate: 0,
    };
  }

  get tokenizer(): Tokenizer | undefined {
    return this.options.tokenizer;
  }

  /** α and β as they stand. */
  get adaptiveState(): AdaptiveState {
    return this.parts.run.adaptiveState;
  }

  /** `step`, `epoch`, `totalSteps`. */
  protected get progress(): RunProgress {
    return this.parts.run.progress;
  }

  /**
   * Runs to the end of the last epoch or `maxSteps`.
   * @param options.resumeFromCheckpoint a checkpoint's folder, or true for the newest in outputDir; default: that of `args`
   * With several ranks, all call it.
   * @throws AdaptiveTrainerError ABORTED, LOSS_NOT_FINITE, LAUNCH_INVALID, RANKS_FAILED, RANKS_DIFFER, OUTPUT_DIR_USED, OUTPUT_DIR_BUSY, CHECKPOINT_INVALID,
   * CHECKPOINT_MISMATCH; INVALID_INPUT while another train() moves the same model; …
   */
  async train({ resumeFromCheckpoint }: { resumeFromCheckpoint?: boolean | string } = {}): Promise<EndEvent> {
    return whileTraining(this.model, async () => {
      this.ranks = await joinRanks(this.args.ddpTimeout);
      return whileRanksTrain(this.ranks, () => this.trainToEnd(resumeFromCheckpoint));
    });
  }

  private async trainToEnd(resumeFrom: boolean | string | undefined): Promise<EndEvent> {
    const started = performance.now();
    const { parts, ranks } = this;
    const host = this.asHost();
    let failure: ReturnType<Run['failure']> | undefined;
    try {
      await prepareRun(host, parts, resumeFrom ?? this.args.resumeFromCheckpoint);
      return await runToEnd(host, parts, started);
    } catch (cause) {
      const error = await ranks.explain(cause);
      failure = parts.run.failure(error);
      // Where all are aborted they end together.
      if (!AdaptiveTrainerError.isInstance(error, 'ABORTED')) await ranks.leave(error);
      throw error;
    } finally {
      this.control.end();
      // The model can be trained again, however the run ended.
      await this.model.call((native) => native.clearGradients()).catch(() => {});
      if (parts.frozenBefore !== undefined)
        await this.model.freezeWeights(parts.frozenBefore).catch(() => {});
      parts.frozenBefore = undefined;
      await parts.held?.close();
      await this.endListening(failure);
      await parts.checkpoints.close();
    }
  }

  /** Ends the run after the step it is in, as if it had been the last one: at all ranks, whichever is asked. */
  stop(): void {
    this.parts.agreement.stop(this.progress);
    this.control.resume();
  }

  /**
   * Writes a checkpoint after the step that the run is in. Resolves to its folder; undefined where there is no outputDir. A
   * callback must not await it. Rank 0 writes it; undefined at the others.
   * @throws AdaptiveTrainerError INVALID_INPUT where no run is under way; what writing it throws, with `onSaveError: stop`
   */
  save(): Promise<string | undefined> {
    return this.control.betweenSteps(() => writeHere(this.asHost(), this.parts));
  }

  /**
   * Loss, accuracy and token shares on `evalDataset`, and what was forgotten. Moves neither weights nor α and β. With several
   * ranks, all call it.
   */
  async evaluate(): Promise<EvaluateEvent> {
    const { evalDataset } = this.options;
    if (evalDataset === undefined) {
      throw new AdaptiveTrainerError('INVALID_INPUT', 'Expected an evalDataset to evaluate on, found none.');
    }
    const report = await this.evaluateRows(evalDataset);
    const forgetting = await this.parts.held?.retention?.forgetting(this.ranks);
    const measured = forgetting === undefined ? {} : { forgetting };
    const event = { type: 'evaluate', ...this.progress.now, ...report, ...measured } as const;
    await this.emit(event);
    return event;
  }

  /**
   * Writes the model, and the tokenizer where one was given, in Hugging Face's layout. With a tokenizer, the model stops where
   * its chat template ends an answer (see `stopAtEndOfTurn`).
   */
  async saveModel(dir: string, options: SaveOptions = {}): Promise<void> {
    const { model, tokenizer, args } = this;
    if (tokenizer !== undefined) stopAtEndOfTurn(model, tokenizer, () => {});
    await model.savePretrained(dir, options);
    await tokenizer?.savePretrained(dir, { paddingSide: args.paddingSide });
  }

  /**
   * Override for any loss of the form Σ wₜ·nllₜ: the weight of each labelled token of a micro-batch. undefined (default)
   * takes the configured loss. With several ranks each is given the tokens of all, and must return the same weights. The weights of a window's micro-batches are scaled by their share of its labelled tokens.
   */
  protected tokenWeights(_statistics: TokenStatisticsArrays, _batch: TokenBatch): Float32Array | undefined {
    return undefined;
  }

  /** Override for another schedule. The learning rate of optimizer step `step`, counted from 0. */
  protected learningRate(step: number): number {
    const { plateau } = this.parts.run;
    if (plateau !== undefined) return plateau.state.rate;
    return learningRate(step, scheduleOf(this.args, this.progress.totalSteps));
  }

  /**
   * Override for another order. The micro-batches of one epoch, counted from 0. With several ranks each is asked and must give
   * the same rows: every micro-batch is then divided among the ranks.
   */
  protected trainBatches(epoch: number): Iterable<TrainingRow[]> | AsyncIterable<TrainingRow[]> {
    const { trainDataset } = this.options;
    if (!isRowArray(trainDataset)) return chunked(onePass(trainDataset), this.argsOfAll.batchSize);
    return trainBatches(trainDataset, this.argsOfAll, { epoch, position: 0 });
  }

  /**
   * One optimizer step over a window: `gradientAccumulationSteps` micro-batches, the last window of an epoch fewer. The run
   * counts, logs, evaluates and saves around it, and applies `onNonFinite` to a LOSS_NOT_FINITE that it throws.
   */
  protected async trainStep(window: readonly TrainingRow[][], learningRate: number): Promise<StepReport> {
    const retention = this.parts.held?.retention;
    const parts = {
      trainMicroBatch: (rows: TrainingRow[], place: MicroBatchPlace) => this.trainMicroBatch(rows, place),
      optimizerStep: () => this.optimizerStep(learningRate),
    };
    const retained = retention?.batches(this.progress.step, window.length);
    const report = await takeStep(window, this.adaptiveState, parts, retained);
    const held = retention?.afterStep(report.retained);
    return held === undefined ? report : { ...report, retention: held };
  }

  /**
   * Forward and backward of one micro-batch, of which each rank takes its part. Its gradients, times its share of the window,
   * are added to those that are there.
   */
  protected async trainMicroBatch(rows: TrainingRow[], place: MicroBatchPlace): Promise<MicroBatchReport> {
    const isOverridden = this.tokenWeights !== AdaptiveTrainer.prototype.tokenWeights;
    const tokenWeights = isOverridden ? this.tokenWeights.bind(this) : undefined;
    const { run, keeper } = this.parts;
    const { seed } = this.args;
    const step = run.progress.step + 1;
    const request = { ...place, loss: run.lossSettings, seed, step, tokenWeights, keeper };
    return trainMicroBatch(this.model, rows, request, this.ranks);
  }

  /** Clips the gradients that are there by `maxGradNorm`, moves the weights (with `retention`, also to their start), and forgets the gradients. */
  protected async optimizerStep(learningRate: number): Promise<OptimizerReport> {
    const { maxGradNorm } = this.args;
    const pull = Math.min(1, this.parts.pullPerRate * learningRate);
    return this.model.call((native) => native.optimizerStep({ learningRate, maxGradNorm, pull }));
  }

  /** What is due after each step, in this order: an evaluation, a checkpoint. */
  protected async afterStep(): Promise<void> {
    const { saveStrategy, saveSteps } = this.args;
    const { step, stepsLeft } = this.progress;
    const hasRows = this.options.evalDataset !== undefined;
    const evaluates = hasRows && isEvaluationDue(this.args, step, stepsLeft);
    if (evaluates) await this.evaluate();
    const { best } = this.parts.checkpoints;
    const isBest = evaluates && saveStrategy === 'best' && best.lastIsBest;
    if (isBest || (saveStrategy === 'steps' && step % saveSteps === 0))
      await saveHere(this.asHost(), this.parts);
    if (best.isPatienceOver) this.stop();
  }

  /** Loss, accuracy and token shares on any rows. Moves nothing. */
  protected async evaluateRows(rows: TrainingRows): Promise<EvaluationReport> {
    const request = { ...this.parts.run.lossSettings, state: this.adaptiveState, scale: 1 };
    return evaluateRows(this.model, rows, this.args.evalBatchSize, request, undefined, this.ranks);
  }

  /** Writes `checkpoint-<step>`; rank 0 alone is asked to. Returns its folder; undefined where there is no outputDir, or it could not be written. */
  protected async saveCheckpoint(): Promise<string | undefined> {
    const { run, checkpoints, held } = this.parts;
    const { epoch, totalSteps } = run.progress;
    const retention = held?.retention?.state;
    const state = { ...run.state, fingerprint: await this.fingerprint(), retention };
    return checkpoints.save(state, epoch, totalSteps);
  }

  /** Writes `final_model`; rank 0 alone is asked to. Returns its folder; empty where there is no outputDir. */
  protected async saveFinalModel(): Promise<string> {
    const { outputDir } = this;
    if (outputDir === undefined) return '';
    await this.parts.checkpoints.checkLock();
    const path = join(outputDir, 'final_model');
    await this.saveModel(path, { dtype: finalDtype(this.model, this.args.saveDtype) });
    await this.emit({ type: 'save', step: this.progress.step, path });
    return path;
  }

  protected override async emit(event: TrainingEvent): Promise<void> {
    this.parts.checkpoints.record(event);
    if (event.type === 'evaluate') this.parts.run.record(event);
    await super.emit(event);
  }

  /** Rank 0's folder; nothing is written by the others. */
  private get outputDir(): string | undefined {
    return this.ranks.isFirst ? this.options.outputDir : undefined;
  }

  /** The settings of what all ranks take together. */
  private get argsOfAll(): TrainingConfig {
    return settingsOfAll(this.args, this.ranks.size);
  }

  /** This trainer, as the run that begins takes it. */
  private asHost(): RunHost {
    const { prototype } = AdaptiveTrainer;
    const { model, options, args, adaptiveLoss, precision, configWarnings, ranks, control } = this;
    return {
      ...{ model, options, args, adaptiveLoss, precision, configWarnings, ranks, control },
      hasOwnOrder: this.trainBatches !== prototype.trainBatches,
      hasOwnSchedule: this.learningRate !== prototype.learningRate,
      newCheckpoints: () => this.newCheckpoints(),
      fingerprint: () => this.fingerprint(),
      learningRate: (step) => this.learningRate(step),
      trainBatches: (epoch) => this.trainBatches(epoch),
      trainStep: (window, rate) => this.trainStep(window, rate),
      afterStep: () => this.afterStep(),
      evaluate: () => this.evaluate(),
      saveCheckpoint: () => this.saveCheckpoint(),
      saveFinalModel: () => this.saveFinalModel(),
      emit: (event) => this.emit(event),
      stop: () => this.stop(),
    };
  }

  private newCheckpoints(): Checkpoints {
    const { model, args, outputDir } = this;
    const saveModel = (dir: string) => this.saveModel(dir, { plainLora: false });
    return new Checkpoints({ model, args, outputDir, saveModel, emit: (event) => this.emit(event) });
  }

  private fingerprint(): Promise<Fingerprint> {
    const { trainDataset } = this.options;
    const rows = isRowArray(trainDataset) ? trainDataset : undefined;
    // Hashing every row once is enough: they do not change during a run.
    this.hashedRun ??= fingerprint(this.model, rows, this.argsOfAll, this.precision, this.adaptiveLoss);
    return this.hashedRun;
  }
}
