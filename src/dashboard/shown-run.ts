import { basename, resolve } from 'node:path';
import { packageVersion } from '../common/package-version.js';
import type { TrainingEvent } from '../events/training-event.js';
import { addEvent, emptyRun } from '../report/add-event.js';
import { changedSettings } from '../report/changed-settings.js';
import { readRun } from '../report/read-run.js';
import { reportPage } from '../report/report-page.js';
import type { RunReport } from '../report/run-report.js';
import { thinSteps } from '../report/thin-steps.js';

/** Steps that a page begins with, at most. */
const mostPoints = 20_000;

/** A run that goes on, as its page shows it: a few numbers of each step, from its first one on. */
export class ShownRun {
  private constructor(
    private run: RunReport,
    /** What is in the folder already, of which a run that is resumed is the rest. */
    private readonly before: RunReport | undefined,
  ) {}

  static async open(outputDir: string): Promise<ShownRun> {
    const before = await readRun(outputDir).catch(() => undefined);
    return new ShownRun(emptyRun(basename(resolve(outputDir)), outputDir), before);
  }

  add(event: TrainingEvent & { time: string }): void {
    if (event.type === 'start') this.begin(event.runId, event.runName);
    addEvent(this.run, event);
    if (event.type === 'start') this.run.changed = changedSettings(event.config);
  }

  /** The page as HTML. */
  page(live: { eventsUrl: string; token: string }): Promise<string> {
    const run = { ...this.run };
    thinSteps(run, mostPoints);
    const made = new Date().toISOString();
    return reportPage({ kind: 'run', title: run.label, made, version: packageVersion(), runs: [run], live });
  }

  private begin(runId: string, runName: string): void {
    const { before, run } = this;
    if (before?.runId === runId) {
      const { datasets, samples, warnings } = run;
      this.run = { ...before, datasets, samples, warnings: [...before.warnings, ...warnings] };
    }
    this.run.label = runName;
  }
}
