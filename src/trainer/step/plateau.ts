import type { TrainingConfig } from '../../config/schema/parsed-config.js';
import type { EvaluateEvent } from '../../events/training-event.js';

/** What a checkpoint keeps of a learning rate that falls on plateaus. Survives JSON. */
export interface PlateauState {
  /** The rate, and the `learningRate` that it began with. */
  rate: number;
  learningRate: number;
  /** Null before the first evaluation. */
  best: number | null;
  badEvaluations: number;
  cooldownLeft: number;
}

/** A learning rate that falls when evaluations no longer get better: torch's ReduceLROnPlateau. */
export class Plateau {
  readonly state: PlateauState;
  private lastStep = 0;

  /** @param before what a checkpoint kept; its rate is scaled where `learningRate` has changed since */
  constructor(
    private readonly args: TrainingConfig,
    before?: PlateauState,
  ) {
    const { learningRate } = args;
    const fresh = { rate: learningRate, best: null, badEvaluations: 0, cooldownLeft: 0 };
    const rate = before && before.rate * (before.learningRate > 0 ? learningRate / before.learningRate : 1);
    this.state = { ...fresh, ...before, ...(rate === undefined ? {} : { rate }), learningRate };
  }

  /** Takes an evaluation into account; one before the first step, or again of the same one, does not count. */
  record(event: EvaluateEvent): void {
    if (event.step === this.lastStep) return;
    this.lastStep = event.step;
    const { patience = 10, cooldown = 0 } = this.args.lrSchedulerKwargs;
    const { state } = this;
    const value = event[this.args.metricForBestModel] ?? NaN;
    if (this.isBetter(value)) {
      state.best = value;
      state.badEvaluations = 0;
    } else state.badEvaluations++;
    if (state.cooldownLeft > 0) {
      state.cooldownLeft--;
      state.badEvaluations = 0;
    }
    if (state.badEvaluations <= patience) return;
    this.reduce();
    state.cooldownLeft = cooldown;
    state.badEvaluations = 0;
  }

  private isBetter(value: number): boolean {
    const { mode, threshold = 1e-4, thresholdMode = 'rel' } = this.args.lrSchedulerKwargs;
    const isMin = mode === undefined ? !this.args.greaterIsBetter : mode === 'min';
    const best = this.state.best ?? (isMin ? Infinity : -Infinity);
    const isRelative = thresholdMode === 'rel';
    if (isMin) return value < (isRelative ? best * (1 - threshold) : best - threshold);
    return value > (isRelative ? best * (threshold + 1) : best + threshold);
  }

  private reduce(): void {
    const { factor = 0.1, minLr = 0, eps = 1e-8 } = this.args.lrSchedulerKwargs;
    const lower = Math.max(this.state.rate * factor, minLr);
    if (this.state.rate - lower > eps) this.state.rate = lower;
  }
}
