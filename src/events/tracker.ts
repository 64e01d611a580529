import type { TrainingEvent } from './training-event.js';

/**
 * Receives the events of a training run. The trainer calls `onEvent` in order and waits for what it returns;
 * a tracker that throws or rejects ends the run, so one that may fail should turn its failures into warnings.
 */
export interface Tracker {
  onEvent(event: TrainingEvent): void | Promise<void>;
  /** Called once when the run is over, also after an error or an abort. Writes out whatever is held back. */
  close(): Promise<void>;
}
