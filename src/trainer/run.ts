import { errorText } from '../common/error-text.js';
import type { AdaptiveLossConfig, TrainingConfig } from '../config/schema/parsed-config.js';
import type { AdaptiveState } from '../engine/addon.js';
import { AdaptiveTrainerError } from '../errors.js';
import type {
  AbortedEvent,
  EndEvent,
  ErrorEvent,
  EvaluateEvent,
  StepEvent,
  TrainingEvent,
} from '../events/training-event.js';
import type { TrainingRow } from '../events/training-row.js';
import { adaptiveState } from '../loss/adaptive-state.js';
import type { CausalLM } from '../model/causal-lm.js';
import type { RunState } from './checkpoint/run-state.js';
import type { Ranks } from '../ranks/ranks.js';
import { RunProgress } from './run-progress.js';
import { confidence } from './step/confidence.js';
import { NumberGuard } from './step/number-guard.js';
import { outOfMemory } from './step/out-of-memory.js';
import { Plateau } from './step/plateau.js';
import type { RunPlan } from './step/run-plan.js';
import { stepEvent } from './step/step-event.js';
import { StepLog } from './step/step-log.js';
import type { StepReport } from './step/take-step.js';
import type { LossSettings } from './step/train-micro-batch.js';

interface RunSettings {
  model: CausalLM;
  args: TrainingConfig;
  adaptiveLoss: AdaptiveLossConfig;
  ranks: Ranks;
}

/** What is known of a run's end beside its figures. */
interface Ending extends Pick<EndEvent, 'path' | 'seconds'> {
  best: EndEvent['best'];
  stoppedEarly: boolean;
}

/** What a run remembers from its first step to its last: how far it is, α and β, its log, the watch over its numbers. */
export class Run {
  readonly progress: RunProgress;
  /** α and β as they stand. */
  adaptiveState: AdaptiveState;
  readonly log: StepLog;
  /** undefined with any schedule but `reduce_lr_on_plateau`. */
  readonly plateau: Plateau | undefined;
  private readonly guard: NumberGuard;

  /** @param state of the checkpoint that is resumed; default: the beginning */
  constructor(
    private readonly settings: RunSettings,
    plan: RunPlan,
    state?: RunState,
  ) {
    this.progress = new RunProgress(plan, state);
    this.adaptiveState = adaptiveState(state?.adaptiveState);
    this.log = new StepLog(state?.log);
    if (settings.args.lrSchedulerType === 'reduce_lr_on_plateau')
      this.plateau = new Plateau(settings.args, state?.plateau);
    this.guard = new NumberGuard(
      settings.model,
      settings.args.onNonFinite,
      state?.guard,
      settings.ranks.size,
    );
  }

  /** What a checkpoint keeps of it. */
  get state(): Omit<RunState, 'runId' | 'history' | 'best' | 'optimizer' | 'fingerprint' | 'retention'> {
    const { adaptiveState, progress, log, guard } = this;
    const { position, since } = progress;
    return {
      ...position,
      since,
      adaptiveState,
      log: log.state,
      guard: guard.state,
      plateau: this.plateau?.state,
    };
  }

  /** The configured loss, with the confidence that the curriculum is at. */
  get lossSettings(): LossSettings {
    const { loss, topK } = this.settings.adaptiveLoss;
    const { labelSmoothingFactor: labelSmoothing } = this.settings.args;
    return {
      loss,
      topK,
      labelSmoothing,
      confidence: confidence(this.progress.epoch, this.settings.adaptiveLoss),
    };
  }

  /**
   * Takes a step and returns its events, in order. A step whose numbers are not finite counts as taken; its event is a
   * warning.
   * @throws AdaptiveTrainerError LOSS_NOT_FINITE where `onNonFinite` says stop; OUT_OF_MEMORY naming the step, and settings that help
   */
  async step(
    window: readonly TrainingRow[][],
    learningRate: number,
    takeStep: () => Promise<StepReport>,
  ): Promise<TrainingEvent[]> {
    const { guard, progress, adaptiveState: used } = this;
    const step = progress.step + 1;
    const started = performance.now();
    const report = await takeStep()
      .catch((cause: unknown) => outOfMemory(cause, step, window, this.settings))
      .catch((cause: unknown) => guard.onNonFinite(cause, step, window));
    progress.endStep();
    if ('type' in report) return [report];
    if (report.skipped) return [guard.onOverflow(report.lossScale, step)];
    this.adaptiveState = report.state;
    const warning = guard.onStep(report.gradNorm, step, window);
    const secondsPerStep = (performance.now() - started) / 1000;
    const etaSeconds = this.log.etaSeconds(secondsPerStep, progress.stepsLeft);
    const { skippedSteps } = guard.state;
    const { epoch } = progress;
    const context = { step, epoch, learningRate, secondsPerStep, etaSeconds, used, skippedSteps };
    return [...(warning === undefined ? [] : [warning]), ...this.logged(stepEvent(report, context))];
  }

  /** What later steps and logs depend on of an evaluation. */
  record(event: EvaluateEvent): void {
    this.plateau?.record(event);
    this.log.measured(event);
  }

  /** @throws AdaptiveTrainerError LOSS_NOT_FINITE where every step of the run was skipped */
  checkTrained(): void {
    const { step } = this.progress;
    const { skippedSteps } = this.guard.state;
    if (skippedSteps === 0 || this.log.state.steps > 0) return;
    throw new AdaptiveTrainerError(
      'LOSS_NOT_FINITE',
      `Expected at least one step with finite numbers, but all ${skippedSteps} were skipped: nothing was trained, and no final model is written. The warnings before name the rows and the first module.`,
      { details: { step } },
    );
  }

  end({ path, seconds, best, stoppedEarly }: Ending): EndEvent {
    const { step: steps, epoch: epochs } = this.progress;
    const { skippedSteps } = this.guard.state;
    return {
      ...this.log.end({ path, steps, epochs, seconds }),
      ...(skippedSteps > 0 ? { skippedSteps } : {}),
      ...(best === undefined ? {} : { best }),
      ...(stoppedEarly ? { stoppedEarly } : {}),
    };
  }

  /** The event for an error that ends the run. */
  failure(error: unknown): AbortedEvent | ErrorEvent {
    const { step, epoch } = this.progress;
    const message = errorText(error);
    if (!AdaptiveTrainerError.isInstance(error)) return { type: 'error', step, epoch, message };
    if (error.code !== 'ABORTED') return { type: 'error', step, epoch, code: error.code, message };
    const { checkpoint } = error.details as { checkpoint?: string };
    return { type: 'aborted', step, epoch, message, ...(checkpoint === undefined ? {} : { checkpoint }) };
  }

  /** @param checkpoint that was saved of it; undefined: none */
  aborted(cause: unknown, checkpoint: string | undefined): AdaptiveTrainerError {
    const { step, totalSteps } = this.progress;
    const { saveOnlyModel } = this.settings.args;
    const where = saveOnlyModel
      ? ` Its model is in ${checkpoint}.`
      : ` Its state is in ${checkpoint}: resume with resumeFromCheckpoint: true.`;
    const saved = checkpoint && where;
    const message = `The run was aborted after step ${step} of ${totalSteps}.${saved ?? ''}`;
    return new AdaptiveTrainerError('ABORTED', message, { cause, details: { step, checkpoint } });
  }

  /** The event with the logs that are due after it. */
  private logged(event: StepEvent): TrainingEvent[] {
    const due = (every: number) => event.step % every === 0;
    this.log.add(event);
    const events: TrainingEvent[] = [event];
    const { loggingSteps, loggingFirstStep } = this.settings.args;
    const isFirst = loggingFirstStep && event.step === 1;
    if (isFirst || due(loggingSteps)) events.push(this.log.takeLog());
    if (due(this.settings.adaptiveLoss.adaptiveLogSteps)) events.push(this.log.adaptive(event));
    return events;
  }
}
