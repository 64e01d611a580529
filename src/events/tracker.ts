import type { TrainingEvent } from './training-event.js';

/**
 * Receives the events of a training run. The trainer calls `onEvent` in order and waits for what it returns. A tracker that
 * throws or rejects does not end the run: the first time, a TRACKER_FAILED warning names it, and it gets the later events as
 * before.
 */
export interface Tracker {
  /** What warnings call it. Default: the name of its class, or its place among the trackers. */
  readonly name?: string;
  onEvent(event: TrainingEvent): void | Promise<void>;
  /** Called once when the run is over, also after an error or an abort. Writes out whatever is held back. */
  close(): void | Promise<void>;
}
