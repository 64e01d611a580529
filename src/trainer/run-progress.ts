import type { RunPlan } from './step/run-plan.js';

/** Where a run stands. Survives JSON. */
export interface RunPosition {
  /** Optimizer steps done, skipped ones included. */
  step: number;
  /** The pass over the rows it is in, from 0, and how many windows (steps) of that pass are done. */
  epochIndex: number;
  windowsDone: number;
}

/** How long a run is, and how far. */
export class RunProgress {
  readonly totalSteps: number;
  private readonly stepsPerEpoch: number | undefined;
  private isStopped = false;

  constructor(
    plan: RunPlan,
    readonly position: RunPosition = { step: 0, epochIndex: 0, windowsDone: 0 },
  ) {
    this.totalSteps = plan.totalSteps;
    this.stepsPerEpoch = plan.stepsPerEpoch;
  }

  get step(): number {
    return this.position.step;
  }

  /** Passes over the rows done, as a fraction; those of a stream are not known. */
  get epoch(): number {
    return this.stepsPerEpoch === undefined ? 0 : this.step / this.stepsPerEpoch;
  }

  /** Passes that the whole run will make; 1 for a stream. */
  get plannedEpochs(): number {
    return this.stepsPerEpoch === undefined ? 1 : this.totalSteps / this.stepsPerEpoch;
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
    this.position.windowsDone = 0;
  }
}
