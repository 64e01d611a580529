import type { DatasetReport } from '../events/dataset-report.js';
import type { Tracker } from '../events/tracker.js';
import type { EndEvent, EvaluateEvent, StartEvent, TrainingEvent } from '../events/training-event.js';
import { finalEvaluation } from '../trackers/final-evaluation.js';

/** Keeps what a model card tells of a run. */
export class RunRecord implements Tracker {
  datasets: readonly DatasetReport[] = [];
  start: StartEvent | undefined;
  end: EndEvent | undefined;
  private readonly evaluations: EvaluateEvent[] = [];

  /** That of the final model, or the last one. */
  get evaluation(): EvaluateEvent | undefined {
    return finalEvaluation(this.evaluations, this.end);
  }

  onEvent(event: TrainingEvent): void {
    if (event.type === 'datasets') this.datasets = event.report;
    else if (event.type === 'start') this.start = event;
    else if (event.type === 'end') this.end = event;
    else if (event.type === 'evaluate') this.evaluations.push(event);
  }

  async close(): Promise<void> {}
}
