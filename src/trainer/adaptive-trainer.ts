import { join } from 'node:path';
import { parseTrainerConfig } from '../config/read/parse-trainer-config.js';
import type { AdaptiveLossConfig, Precision, TrainingConfig } from '../config/schema/parsed-config.js';
import type { AdaptiveState, OptimizerReport } from '../engine/addon.js';
import { AdaptiveTrainerError } from '../errors.js';
import type { EndEvent, EvaluateEvent, TextsEvent, TrainingEvent } from '../events/training-event.js';
import type { TrainingRow } from '../events/training-row.js';
import type { CausalLM } from '../model/causal-lm.js';
import type { SaveOptions } from '../model/files/save-pretrained.js';
import { stopAtEndOfTurn } from '../model/generation/stop-at-end-of-turn.js';
import { compareRanks } from '../ranks/compare-ranks.js';
import { inTurns } from '../ranks/in-turns.js';
import { joinRanks } from '../ranks/join-ranks.js';
import { oneRank, type Ranks } from '../ranks/ranks.js';
import { replacedThreads, threadShare } from '../ranks/thread-share.js';
import type { AdaptiveTrainerOptions } from './adaptive-trainer-options.js';
import { checkAllRows, checkOptions } from './check-options.js';
import { checkWindow } from './batches/check-window.js';
import { settingsOfAll } from './batches/rank-part.js';
import { chunked, skipped } from './batches/chunked.js';
import { isRowArray } from './batches/is-row-array.js';
import { longRowsNote } from './batches/long-rows-note.js';
import { noRows, onePass } from './batches/one-pass.js';
import type { BlockKeeper } from './memory/block-keeper.js';
import { microBatchCounts, trainBatches } from './batches/train-batches.js';
import type { TrainingRows } from './batches/training-rows.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import { Checkpoints } from './checkpoint/checkpoints.js';
import { fingerprint } from './checkpoint/fingerprint.js';
import { hashRows } from './checkpoint/hash-rows.js';
import type { Fingerprint, RunState } from './checkpoint/run-state.js';
import { evaluateRows, type EvaluationReport } from './evaluation/evaluate-rows.js';
import { isEvaluationDue, plannedEvaluations } from './evaluation/evaluation-due.js';
import { finalDtype } from './final-dtype.js';
import { beginInspection, notInspected } from './inspection/begin-inspection.js';
import type { Inspection } from './inspection/inspection.js';
import { learningRate, scheduleOf } from './step/learning-rate.js';
import {
  measuresForgetting,
  prepareRetention,
  pullStrength,
  type PreparedRetention,
} from './retention/prepare-retention.js';
import { pullPerRate } from './retention/pull-rate.js';
import { Run } from './run.js';
import { RunControl } from './run-control.js';
import type { RunProgress } from './run-progress.js';
import { sampleRows } from './sample-rows.js';
import { startEvent } from './start-event.js';
import { engineTypes } from './step/engine-types.js';
import { frozenNames } from './step/freezing.js';
import { prepareEngine } from './step/prepare-engine.js';
import { noPlan, planRun } from './step/run-plan.js';
import { runPrecision } from './step/run-precision.js';
import { runWarnings } from './step/run-warnings.js';
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
  private checkpoints: Checkpoints;
  /** The processes that train together; one, unless a launcher started several. Known once `train` has begun. */
  ranks: Ranks = oneRank;
  /** Pauses the run, and does what is asked between two of its steps. */
  readonly control = new RunControl();
  private readonly options: AdaptiveTrainerOptions;
  private run: Run;
  private savedStep: number | undefined;
  private held: PreparedRetention | undefined;
  private inspection: Inspection | undefined;
  private keeper: BlockKeeper | undefined;
  /** What a step pulls the weights to their start by, for each unit of its learning rate. */
  private pullPerRate = 0;
  /** What this rank was asked for. It holds for all ranks once they have told each other. */
  private isStopAsked = false;
  private isAborted = false;
  /** What the model had frozen before a run that freezes weights of its own. */
  private frozenBefore: readonly string[] | undefined;
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
    this.precision = runPrecision(args);
    this.adaptiveLoss = adaptiveLoss;
    this.configWarnings = warnings;
    checkOptions({ ...this.options, outputDir }, args, adaptiveLoss);
    this.checkpoints = this.newCheckpoints();
    this.run = new Run(this, noPlan);
  }

  get tokenizer(): Tokenizer | undefined {
    return this.options.tokenizer;
  }

  /** α and β as they stand. */
  get adaptiveState(): AdaptiveState {
    return this.run.adaptiveState;
  }

  /** `step`, `epoch`, `totalSteps`. */
  protected get progress(): RunProgress {
    return this.run.progress;
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

  private async trainToEnd(resumeFromCheckpoint: boolean | string | undefined): Promise<EndEvent> {
    const started = performance.now();
    let failure: ReturnType<Run['failure']> | undefined;
    try {
      await this.prepare(resumeFromCheckpoint ?? this.args.resumeFromCheckpoint);
      await this.agree();
      this.control.begin();
      const { args, options, progress, run } = this;
      if (args.evalOnStart && progress.step === 0 && options.evalDataset !== undefined) await this.evaluate();
      this.stopEarly();
      while (!progress.isOver) await this.trainEpoch();
      await this.throwIfAborted();
      run.checkTrained();
      if (this.isLastSaveDue) await this.saveHere();
      if (run.log.hasRecent) await this.emit(run.log.takeLog());
      const { best, path } = await this.finish();
      const { isPatienceOver: stoppedEarly } = this.checkpoints.best;
      const end = run.end({ path, best, stoppedEarly, seconds: (performance.now() - started) / 1000 });
      await this.emit(end);
      return end;
    } catch (cause) {
      const error = await this.ranks.explain(cause);
      failure = this.run.failure(error);
      // Where all are aborted they end together.
      if (!AdaptiveTrainerError.isInstance(error, 'ABORTED')) await this.ranks.leave(error);
      throw error;
    } finally {
      this.control.end();
      // The model can be trained again, however the run ended.
      await this.model.call((native) => native.clearGradients()).catch(() => {});
      if (this.frozenBefore !== undefined) await this.model.freezeWeights(this.frozenBefore).catch(() => {});
      this.frozenBefore = undefined;
      await this.held?.close();
      await this.endListening(failure);
      await this.checkpoints.close();
    }
  }

  /** Ends the run after the step it is in, as if it had been the last one: at all ranks, whichever is asked. */
  stop(): void {
    if (this.ranks.size > 1) this.isStopAsked = true;
    else this.progress.stop();
    this.control.resume();
  }

  /**
   * Writes a checkpoint after the step that the run is in. Resolves to its folder; undefined where there is no outputDir. A
   * callback must not await it. Rank 0 writes it; undefined at the others.
   * @throws AdaptiveTrainerError INVALID_INPUT where no run is under way; what writing it throws, with `onSaveError: stop`
   */
  save(): Promise<string | undefined> {
    return this.control.betweenSteps(() => this.saveHere());
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
    const forgetting = await this.held?.retention?.forgetting(this.ranks);
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
    this.stopAtEndOfTurn(() => {});
    await this.model.savePretrained(dir, options);
    const { paddingSide } = this.args;
    await this.options.tokenizer?.savePretrained(dir, { paddingSide });
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
    const { plateau } = this.run;
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
    const retention = this.held?.retention;
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
    const step = this.progress.step + 1;
    const { keeper } = this;
    const request = {
      ...place,
      loss: this.run.lossSettings,
      seed: this.args.seed,
      step,
      tokenWeights,
      keeper,
    };
    return trainMicroBatch(this.model, rows, request, this.ranks);
  }

  /** Clips the gradients that are there by `maxGradNorm`, moves the weights (with `retention`, also to their start), and forgets the gradients. */
  protected async optimizerStep(learningRate: number): Promise<OptimizerReport> {
    const { maxGradNorm } = this.args;
    const pull = Math.min(1, this.pullPerRate * learningRate);
    return this.model.call((native) => native.optimizerStep({ learningRate, maxGradNorm, pull }));
  }

  /** What is due after each step, in this order: an evaluation, a checkpoint. */
  protected async afterStep(): Promise<void> {
    const { saveStrategy, saveSteps } = this.args;
    const { step, stepsLeft } = this.progress;
    const hasRows = this.options.evalDataset !== undefined;
    const evaluates = hasRows && isEvaluationDue(this.args, step, stepsLeft);
    if (evaluates) await this.evaluate();
    const isBest = evaluates && saveStrategy === 'best' && this.checkpoints.best.lastIsBest;
    if (isBest || (saveStrategy === 'steps' && step % saveSteps === 0)) await this.saveHere();
    this.stopEarly();
  }

  /** Loss, accuracy and token shares on any rows. Moves nothing. */
  protected async evaluateRows(rows: TrainingRows): Promise<EvaluationReport> {
    const request = { ...this.run.lossSettings, state: this.adaptiveState, scale: 1 };
    return evaluateRows(this.model, rows, this.args.evalBatchSize, request, undefined, this.ranks);
  }

  /** Writes `checkpoint-<step>`; rank 0 alone is asked to. Returns its folder; undefined where there is no outputDir, or it could not be written. */
  protected async saveCheckpoint(): Promise<string | undefined> {
    const { run, progress } = this;
    const retention = this.held?.retention?.state;
    const state = { ...run.state, fingerprint: await this.fingerprint(), retention };
    return this.checkpoints.save(state, progress.epoch, progress.totalSteps);
  }

  /** Writes `final_model`; rank 0 alone is asked to. Returns its folder; empty where there is no outputDir. */
  protected async saveFinalModel(): Promise<string> {
    const { outputDir } = this;
    if (outputDir === undefined) return '';
    await this.checkpoints.checkLock();
    const path = join(outputDir, 'final_model');
    await this.saveModel(path, { dtype: finalDtype(this.model, this.args.saveDtype) });
    await this.emit({ type: 'save', step: this.progress.step, path });
    return path;
  }

  protected override async emit(event: TrainingEvent): Promise<void> {
    this.checkpoints.record(event);
    if (event.type === 'evaluate') this.run.record(event);
    await super.emit(event);
  }

  private async prepare(resumeFrom: boolean | string | null): Promise<void> {
    const { precision, configWarnings, model, ranks, argsOfAll } = this;
    const threads = this.args.threads ?? (ranks.launch && threadShare(ranks.launch)) ?? null;
    const args = { ...this.args, threads };
    const { trainDataset, evalDataset, datasetReport } = this.options;
    const { outputDir } = this;
    const rows = isRowArray(trainDataset) ? trainDataset : undefined;
    const plan = planRun(rows, argsOfAll);
    [this.isStopAsked, this.isAborted] = [false, false];
    this.run = new Run(this, plan);
    this.checkpoints = this.newCheckpoints();
    this.savedStep = undefined;
    await model.call((native) => native.joinRanks({ ranks: ranks.native }));
    await this.openCheckpoints(resumeFrom);
    await checkAllRows(this.options, args, this.progress);
    if (datasetReport) await this.emit({ type: 'datasets', report: datasetReport });
    const pull = pullStrength(args, this.options);
    // The pull takes the place of weight decay.
    const pulledArgs = pull > 0 ? { ...args, weightDecay: 0 } : args;
    const isMeasured = measuresForgetting(args, this.options, plannedEvaluations(args, this.progress));
    const engineArgs = { ...pulledArgs, evalForgetting: isMeasured };
    const frozen = frozenNames(args, model.weightNames);
    if (frozen !== undefined) {
      this.frozenBefore ??= [...model.frozen];
      await model.freezeWeights(frozen);
    }
    const { report: engine, keeper } = await prepareEngine(model, trainDataset, engineArgs, precision, ranks);
    this.keeper = keeper;
    const held = await inTurns(ranks, () => this.prepareRetention(pull, isMeasured));
    this.held = held;
    // Before answers are asked for: they end where those of the trained model will.
    const stopWarnings: string[] = [];
    this.stopAtEndOfTurn((message) => stopWarnings.push(message));
    await this.compareRanks(held);
    const inspection = await ranks.together(() => this.beginInspection());
    const state = await this.resume();
    this.run = new Run(this, state === undefined ? plan : planRun(rows, argsOfAll, state.since), state);
    if (state?.retention) this.held = { ...held, retention: held.retention?.resumed(state.retention) };
    this.inspection = inspection;
    await inspection?.write().catch((error: unknown) => this.dropInspection(error));
    // learningRate() may be a user's own, which without a pull is asked once a step.
    this.pullPerRate =
      pull > 0 ? pullPerRate(pull, this.progress.totalSteps, (step) => this.learningRate(step)) : 0;
    const { tokenizer } = this.options;
    if (tokenizer && isRowArray(trainDataset)) await this.emit(sampleRows(trainDataset, tokenizer));
    await this.emit(startEvent(this.options, this, this.progress, { ...engine, ...this.checkpoints.origin }));
    const endOfTurn = stopWarnings.map((message) => ({ code: 'END_OF_TURN', message }));
    for (const warning of [...configWarnings, ...endOfTurn]) await this.emit({ type: 'warning', ...warning });
    const hasOwnSchedule = this.learningRate !== AdaptiveTrainer.prototype.learningRate;
    const hasTrackers = (this.options.trackers ?? []).length > 0;
    const ofRun = {
      outputDir,
      hasTrackers,
      progress: this.progress,
      hasEvalDataset: evalDataset !== undefined,
      longRows: longRowsNote(model, trainDataset),
    };
    if (held.unmeasured !== undefined) {
      const reason = held.unmeasured.replace(/\.$/, '');
      const message = `Forgetting is not measured: ${reason}. Mend that, or set evalForgetting: false.`;
      await this.emit({ type: 'warning', code: 'FORGETTING_NOT_MEASURED', message });
    }
    const replaced = replacedThreads(ranks, engine.threads, this.args.threads);
    if (replaced !== undefined && ranks.isFirst) await this.emit(replaced);
    for (const warning of runWarnings(args, precision, { ...ofRun, hasOwnSchedule }))
      await this.emit(warning);
  }

  private stopAtEndOfTurn(onWarning: (message: string) => void): void {
    const { tokenizer } = this.options;
    if (tokenizer !== undefined) stopAtEndOfTurn(this.model, tokenizer, onWarning);
  }

  private async prepareRetention(pull: number, isMeasured: boolean): Promise<PreparedRetention> {
    const { argsOfAll: args, adaptiveLoss, options } = this;
    // Told in order, while the engine goes on.
    let told: Promise<void> = Promise.resolve();
    const onTexts = (event: TextsEvent) => void (told = told.then(() => this.emit(event)));
    const facts = { options, args, adaptiveLoss, ...engineTypes(this.precision), isMeasured, onTexts };
    const held = await prepareRetention(facts, pull);
    await told;
    return held;
  }

  private async beginInspection(): Promise<Inspection | undefined> {
    const { args, adaptiveLoss, progress } = this;
    if (!this.ranks.isFirst) return undefined;
    const options = this.options;
    const { resumedFrom, runId } = this.checkpoints.origin;
    const isResumed = resumedFrom !== undefined && resumedFrom.runId === runId;
    const facts = { options, args, adaptiveLoss, epochs: progress.plannedEpochs, isResumed };
    return beginInspection({ ...facts, emit: (event) => this.emit(event) });
  }

  private async endInspection(): Promise<void> {
    const { inspection } = this;
    if (inspection === undefined) return;
    try {
      await this.checkpoints.checkLock();
      await this.emit({ type: 'comparison', ...(await inspection.end()) });
    } catch (error) {
      // The model is trained and saved.
      await this.dropInspection(error);
    }
  }

  private async dropInspection(error: unknown): Promise<void> {
    this.inspection = undefined;
    await this.emit(notInspected(error));
  }

  /** Rank 0's folder; nothing is written by the others. */
  private get outputDir(): string | undefined {
    return this.ranks.isFirst ? this.options.outputDir : undefined;
  }

  /** The settings of what all ranks take together. */
  private get argsOfAll(): TrainingConfig {
    return settingsOfAll(this.args, this.ranks.size);
  }

  private async openCheckpoints(resumeFrom: boolean | string | null): Promise<void> {
    const { ranks, checkpoints } = this;
    const isNewAttempt = (ranks.launch?.attempt ?? 0) > 0;
    // Started anew after a rank failed, all go on from what this run has saved.
    const begun = isNewAttempt ? await ranks.recall() : undefined;
    await ranks.together(async () => {
      if (ranks.isFirst) await checkpoints.open(resumeFrom, begun);
    });
    const runId = await ranks.fromFirst(checkpoints.runId);
    if (!ranks.isFirst) checkpoints.follow(runId);
    await ranks.remember(runId);
  }

  /** Refuses ranks that would not train the same. */
  private async compareRanks({ retention, unmeasured }: PreparedRetention): Promise<void> {
    const { ranks, model, options, args } = this;
    if (ranks.size === 1) return;
    const { evalDataset } = options;
    const { localRank: _l, threads: _t, outputDir: _o, ...settings } = { outputDir: '', ...args };
    const named = (group: string, values: object) =>
      Object.fromEntries(Object.entries(values).map(([key, value]) => [`${group}.${key}`, value as unknown]));
    await compareRanks(ranks, {
      ...named('trainingConfig', settings),
      ...named('adaptiveLossConfig', this.adaptiveLoss),
      ...(await this.fingerprint()),
      'model.weights': await model.call((native) => native.weightsDigest()),
      'evalDataset.content':
        evalDataset !== undefined && isRowArray(evalDataset) ? await hashRows(evalDataset) : null,
      'retention.rows': retention?.digest ?? null,
      'retention.unmeasured': unmeasured ?? null,
    });
  }

  /** Puts the model where a checkpoint left it, which rank 0 reads and the others are given. */
  private async resume(): Promise<RunState | undefined> {
    const { ranks, checkpoints, model } = this;
    const { trainDataset } = this.options;
    const rows = isRowArray(trainDataset) && !this.hasOwnOrder ? trainDataset.length : undefined;
    const own = await ranks.together(async () =>
      ranks.isFirst ? checkpoints.resume(() => this.fingerprint(), rows) : undefined,
    );
    if (ranks.size === 1) return own;
    const state = JSON.parse(await ranks.fromFirst(JSON.stringify(own ?? null))) as RunState | null;
    // What an adapter starts with is compared nowhere: it is rank 0's.
    if (state !== null || model.adapter !== undefined)
      await model.call((native) => native.copyFromFirstRank());
    if (state === null) return undefined;
    if (!ranks.isFirst) checkpoints.follow(state.runId, state);
    return state;
  }

  /** Tells the other ranks what this one was asked for, and does what any was. */
  private async agree(): Promise<{ isBusy: boolean }> {
    const { ranks, control, options } = this;
    if (ranks.size === 1) return { isBusy: true };
    const asked = [options.signal?.aborted === true, this.isStopAsked, control.isBusy];
    const [aborted, stopped, busy] = await ranks.sum(asked.map(Number));
    this.isAborted = aborted! > 0;
    if (stopped! > 0) this.progress.stop();
    return { isBusy: busy! > 0 };
  }

  /** What was asked for between two steps. */
  private async passControl(): Promise<void> {
    const { isBusy } = await this.agree();
    if (!isBusy) return;
    await this.ranks.together(() => this.control.pass(this.options.signal));
    await this.agree();
  }

  /** What rank 0 writes once the last step is done. */
  private async finish(): Promise<{ best: EndEvent['best']; path: string }> {
    const { ranks, args } = this;
    const written = await ranks.together(async () => {
      if (!ranks.isFirst) return undefined;
      const best = args.loadBestModelAtEnd ? await this.checkpoints.loadBest() : undefined;
      const path = await this.saveFinalModel();
      await this.endInspection();
      return { best, path };
    });
    if (ranks.size === 1) return written!;
    return JSON.parse(await ranks.fromFirst(JSON.stringify(written))) as {
      best: EndEvent['best'];
      path: string;
    };
  }

  /** What is left of the pass over the rows that the run is in. */
  private async trainEpoch(): Promise<void> {
    const { args, progress } = this;
    const { trainDataset, evalDataset } = this.options;
    let isWhole = true;
    for await (const window of this.windowsLeft()) {
      await this.throwIfAborted();
      checkWindow(window, progress.step + 1, this.model);
      const rate = this.learningRate(progress.step);
      const events = await this.run.step(window, rate, () => this.trainStep(window, rate));
      for (const event of events) await this.emit(event);
      const fewer = await this.keeper?.warning(progress.step);
      if (fewer !== undefined) await this.emit(fewer);
      await this.afterStep();
      await this.passControl();
      if (!progress.isOver) continue;
      isWhole = progress.position.windowsDone === this.windowsOfEpoch();
      break;
    }
    const { epochIndex, windowsDone } = progress.position;
    if (windowsDone === 0) throw noRows(trainDataset, 'trainDataset', `epoch ${epochIndex}`);
    if (progress.wasStopped) return;
    // The rest of an epoch that was cut short is left for a longer run.
    if (isWhole) progress.endEpoch();
    const isEvaluationDue = args.evalStrategy === 'epoch' && progress.epoch >= args.evalDelay;
    const evaluates = isEvaluationDue && evalDataset !== undefined;
    if (evaluates) await this.evaluate();
    const isBest = evaluates && args.saveStrategy === 'best' && this.checkpoints.best.lastIsBest;
    if (isBest || args.saveStrategy === 'epoch') await this.saveHere();
    this.stopEarly();
  }

  private stopEarly(): void {
    if (this.checkpoints.best.isPatienceOver) this.stop();
  }

  /** A longer run can go on from the end of this one. */
  private get isLastSaveDue(): boolean {
    const { saveStrategy } = this.args;
    if (saveStrategy === 'no' || saveStrategy === 'best' || this.checkpoints.best.isPatienceOver)
      return false;
    return this.savedStep !== this.progress.step;
  }

  /** What is still to be done of the epoch, one optimizer step after the other. */
  private async *windowsLeft(): AsyncGenerator<TrainingRow[][], void, undefined> {
    const { epochIndex: epoch, windowsDone } = this.progress.position;
    const { trainDataset: rows } = this.options;
    const perStep = this.args.gradientAccumulationSteps;
    if (isRowArray(rows) && !this.hasOwnOrder) {
      const cursor = { epoch, rowsPassed: this.progress.rowsPassed, position: windowsDone * perStep };
      return yield* chunked(trainBatches(rows, this.argsOfAll, cursor), perStep);
    }
    // A stream, or another order, can only be read from its beginning: the windows before the checkpoint are skipped.
    yield* skipped(windowsDone, chunked(this.trainBatches(epoch), perStep));
  }

  /** undefined where only going through the rows would tell. */
  private windowsOfEpoch(): number | undefined {
    const { trainDataset } = this.options;
    if (!isRowArray(trainDataset) || this.hasOwnOrder) return undefined;
    const { position, rowsPassed } = this.progress;
    const [count] = microBatchCounts(trainDataset, this.argsOfAll, 1, { ...position, rows: rowsPassed });
    return Math.ceil(count! / this.args.gradientAccumulationSteps);
  }

  private get hasOwnOrder(): boolean {
    return this.trainBatches !== AdaptiveTrainer.prototype.trainBatches;
  }

  private async throwIfAborted(): Promise<void> {
    const { ranks } = this;
    const { signal } = this.options;
    if (!(ranks.size > 1 ? this.isAborted : signal?.aborted)) return;
    const saved = await ranks.together(async () => (this.progress.step > 0 ? this.saveHere() : undefined));
    const checkpoint = ranks.size === 1 ? saved : (await ranks.fromFirst(saved)) || undefined;
    throw this.run.aborted(signal?.reason, checkpoint);
  }

  private async saveHere(): Promise<string | undefined> {
    this.savedStep = this.progress.step;
    return this.ranks.isFirst ? this.saveCheckpoint() : undefined;
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
