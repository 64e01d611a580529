import type { TrainingConfig } from '../../config/schema/parsed-config.js';
import type { EvaluateEvent } from '../../events/training-event.js';

/** A step and how good the model was after it. */
export interface Evaluated {
  step: number;
  value: number;
}

/** What a checkpoint keeps of the search for the best model. Survives JSON. */
export interface BestModelState {
  /** What the values are of. */
  metric: TrainingConfig['metricForBestModel'];
  greaterIsBetter: boolean;
  /** Evaluations so far. */
  evaluations: number;
  /** The best of all evaluations, saved or not. */
  seen: Evaluated | null;
  /** The best of those whose step was saved; `elsewhere` where its checkpoint is one of another run that was gone on with. */
  saved: (Evaluated & { elsewhere?: { folder: string; runId: string } }) | null;
  /** Evaluations since the last one that was better by more than the threshold. */
  withoutImprovement: number;
}

type Settings = Pick<
  TrainingConfig,
  'metricForBestModel' | 'greaterIsBetter' | 'earlyStoppingPatience' | 'earlyStoppingThreshold'
>;

/** Follows how good the model is from evaluation to evaluation, as the Hugging Face Trainer and its early stopping do. */
export class BestModel {
  private readonly state: BestModelState;
  private last: Evaluated | undefined;
  private isBest = false;

  /** @param before what a checkpoint kept; values of another metric mean nothing here */
  constructor(
    private readonly settings: Settings,
    before?: BestModelState,
  ) {
    const { metricForBestModel: metric, greaterIsBetter } = settings;
    const isSame = before?.metric === metric && before.greaterIsBetter === greaterIsBetter;
    const fresh = { evaluations: 0, seen: null, saved: null, withoutImprovement: 0 };
    this.state = { metric, greaterIsBetter, ...fresh, ...(isSame ? before : {}) };
  }

  get metric(): BestModelState['metric'] {
    return this.state.metric;
  }

  /** The best of the steps that were saved. */
  get saved(): BestModelState['saved'] {
    return this.state.saved;
  }

  /** Whether the last evaluation was better than all before it. */
  get lastIsBest(): boolean {
    return this.isBest;
  }

  /** Whether the run is to end, nothing having become better for `earlyStoppingPatience` evaluations. */
  get isPatienceOver(): boolean {
    const { earlyStoppingPatience } = this.settings;
    return earlyStoppingPatience !== null && this.state.withoutImprovement >= earlyStoppingPatience;
  }

  /** Counts an evaluation; one before the first step, or again of the same one, does not count. */
  record(event: EvaluateEvent): void {
    const { step } = event;
    if (step === 0 || step === this.last?.step) return;
    const { state, settings } = this;
    const value = event[state.metric] ?? NaN;
    const best = state.seen?.value ?? (state.greaterIsBetter ? -Infinity : Infinity);
    this.last = { step, value };
    this.isBest = this.isBetter(value, best);
    const isEnough = this.isBest && Math.abs(value - best) > settings.earlyStoppingThreshold;
    state.withoutImprovement = isEnough || state.evaluations === 0 ? 0 : state.withoutImprovement + 1;
    state.evaluations++;
    if (this.isBest) state.seen = this.last;
  }

  /** What a checkpoint of this step keeps: it is itself the best where it was just evaluated, and better than those before. */
  stateAt(step: number): BestModelState {
    const { state, last } = this;
    if (last?.step !== step || !Number.isFinite(last.value)) return { ...state };
    const isBest = state.saved === null || this.isBetter(last.value, state.saved.value);
    return { ...state, saved: isBest ? last : state.saved };
  }

  /** To be called when the checkpoint of this step is written. */
  onSaved(step: number): void {
    this.state.saved = this.stateAt(step).saved;
  }

  private isBetter(value: number, than: number): boolean {
    return this.state.greaterIsBetter ? value > than : value < than;
  }
}
