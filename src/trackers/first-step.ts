import type { StartEvent } from '../events/training-event.js';

/** The first step that a start announces: 1, or where it resumes a run, the one after the checkpoint. */
export function firstStepOf({ runId, resumedFrom }: StartEvent): number {
  // From another run's checkpoint a new run begins, whose trackers have nothing of the steps before it.
  return resumedFrom?.runId === runId ? resumedFrom.step + 1 : 1;
}
