import type { BatchesSince, RunPlan } from './step/run-plan.js';

/** Where a run stands. Survives JSON. */
export interface RunPosition {
  /** Optimizer steps done, skipped ones included. */
  step: number;
  /** The pass over the rows it is in, from 0, and how many windows (steps) of that pass are done. */
  epochIndex: number;
  windowsDone: number;
  /** Windows of the last pass that ended; absent in the first. */
  windowsPerPass?: number | undefined;
}

/** How long a run is, and how far. */
export class RunProgress {
  readonly totalSteps: number;
  readonly position: RunPosition;
  private isStopped = false;

  constructor(
    private readonly plan: RunPlan,
    { step, epochIndex, windowsDone, windowsPerPass }: RunPosition = {
      step: 0,
      epochIndex: 0,
      windowsDone: 0,
    },
  ) {
    this.position = { step, epochIndex, windowsDone, windowsPerPass };
    this.totalSteps = plan.totalSteps;
  }

  get step(): number {
    return this.position.step;
  }

  /**
   * Passes over the rows done, as a fraction. The length of a stream is not known before its first pass ends; until then
   * `totalSteps` is taken for it, as in the Hugging Face Trainer.
   */
  get epoch(): number {
    if (this.plan.stepsPerEpoch !== undefined) return this.epochAt(this.step);
    const { epochIndex, windowsDone, windowsPerPass = this.totalSteps } = this.position;
    return epochIndex + (windowsDone === 0 ? 0 : Math.min(1, windowsDone / windowsPerPass));
  }

  /** As events hold it. */
  get now(): { step: number; epoch: number } {
    return { step: this.step, epoch: this.epoch };
  }

  /** Passes that the whole run will make; 1 for a stream. */
  get plannedEpochs(): number {
    return this.plan.stepsPerEpoch === undefined ? 1 : this.epochAt(this.totalSteps);
  }

  /** Where the batches began to be as they are. */
  get since(): BatchesSince {
    return this.plan.since;
  }

  /** Rows of this epoch that came before, in other batches. */
  get rowsPassed(): number {
    return this.since.epochIndex === this.position.epochIndex ? this.since.rows : 0;
  }

  get stepsLeft(): number {
    return this.totalSteps - this.step;
  }

  get isOver(): boolean {
    return this.isStopped || this.stepsLeft <= 0;
  }

  get wasStopped(): boolean {
    return this.isStopped;
  }

  /** Makes the run end after the step it is in. */
  stop(): void {
    this.isStopped = true;
  }

  endStep(): void {
    this.position.step++;
    this.position.windowsDone++;
  }

  endEpoch(): void {
    this.position.epochIndex++;
    this.position.windowsPerPass = this.position.windowsDone;
    this.position.windowsDone = 0;
  }

  private epochAt(step: number): number {
    const { stepsPerEpoch, since, epochsBefore } = this.plan;
    return stepsPerEpoch === undefined ? 0 : epochsBefore + (step - since.step) / stepsPerEpoch;
  }
}
