import type { DatasetReport } from '../events/dataset-report.js';
import type { Tracker } from '../events/tracker.js';
import type { EndEvent, EvaluateEvent, StartEvent, TrainingEvent } from '../events/training-event.js';

/** Keeps what a model card tells of a run. */
export class RunRecord implements Tracker {
  datasets: readonly DatasetReport[] = [];
  start: StartEvent | undefined;
  end: EndEvent | undefined;
  /** The last one. */
  evaluation: EvaluateEvent | undefined;

  onEvent(event: TrainingEvent): void {
    if (event.type === 'datasets') this.datasets = event.report;
    else if (event.type === 'start') this.start = event;
    else if (event.type === 'end') this.end = event;
    else if (event.type === 'evaluate') this.evaluation = event;
  }

  async close(): Promise<void> {}
}
