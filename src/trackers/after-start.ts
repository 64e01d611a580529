import type { Tracker } from '../events/tracker.js';
import type { TrainingEvent, WarningEvent } from '../events/training-event.js';

/** A tracker that is told of warnings from before a run right after the run's `start` event. */
export function afterStart(tracker: Tracker, warnings: readonly WarningEvent[]): Tracker {
  const className = tracker.constructor.name;
  return {
    name: tracker.name ?? (className === 'Object' ? 'A tracker' : className),
    async onEvent(event: TrainingEvent) {
      await tracker.onEvent(event);
      if (event.type !== 'start') return;
      for (const warning of warnings) await tracker.onEvent(warning);
    },
    close: () => tracker.close(),
  };
}
