import type { StartEvent, StepEvent, TrainingEvent } from '../events/training-event.js';
import { countColumns, stepColumns, type RunReport, type StepColumn } from './run-report.js';

/** An event as a line of `metrics.jsonl` has it. */
export type RecordedEvent = TrainingEvent & { time?: string; run?: string };

/** A run of which nothing is known yet. */
export function emptyRun(label: string, folder: string): RunReport {
  return {
    label,
    folder,
    state: 'preparing',
    starts: [],
    datasets: [],
    samples: [],
    steps: { step: [] },
    logs: [],
    evaluations: [],
    saves: [],
    warnings: [],
    changed: [],
    notes: [],
  };
}

/**
 * Adds an event to a run, in the order they came. What is there already is passed over, and what a resumed run does again
 * takes the place of what it did before.
 */
export function addEvent(run: RunReport, event: RecordedEvent): void {
  run.began ??= event.time;
  if (event.time !== undefined) run.ended = event.time;
  switch (event.type) {
    case 'datasets':
      run.datasets = event.report;
      break;
    case 'samples':
      run.samples = event.rows;
      break;
    case 'start':
      begin(run, event);
      break;
    case 'step':
      if (event.step > (run.steps.step.at(-1) ?? -1)) addStep(run, event);
      break;
    case 'log':
      addOnce(run.logs, event);
      break;
    case 'evaluate':
      addOnce(run.evaluations, event);
      break;
    case 'save':
      if (!run.saves.some(({ step, path }) => step === event.step && path === event.path))
        run.saves.push({ step: event.step, path: event.path, ...timeOf(event) });
      break;
    case 'warning':
      if (!run.warnings.some(({ code, message, step }) => isSame(event, { code, message, step })))
        run.warnings.push(event);
      break;
    case 'end':
    case 'aborted':
    case 'error':
      run.outcome = event;
      run.state = { end: 'completed', aborted: 'aborted', error: 'failed' }[event.type] as RunReport['state'];
      break;
  }
}

function begin(run: RunReport, event: StartEvent & { time?: string }): void {
  const step = event.resumedFrom?.step ?? 0;
  // The page of a run that goes on may be told of its start again.
  const isRepeated = run.starts.some(({ time, step: at }) => at === step && time === event.time);
  run.start = event;
  run.runId = event.runId;
  if (isRepeated) return;
  run.state = 'running';
  delete run.outcome;
  run.starts.push({
    ...timeOf(event),
    step,
    ...(event.resumedFrom === undefined ? {} : { resumedFrom: event.resumedFrom }),
  });
  dropAfter(run, step);
}

/** Forgets steps that are done again. */
function dropAfter(run: RunReport, step: number): void {
  const { steps } = run;
  const kept = steps.step.filter((one) => one <= step).length;
  for (const column of Object.values(steps)) column.length = Math.min(column.length, kept);
  run.logs = run.logs.filter((one) => one.step <= step);
  run.evaluations = run.evaluations.filter((one) => one.step <= step);
  run.saves = run.saves.filter((one) => one.step <= step);
}

function addStep({ steps }: RunReport, event: StepEvent): void {
  const row = steps.step.length;
  steps.step.push(event.step);
  const put = (name: StepColumn, value: number | null | undefined) => {
    if (value === undefined && steps[name] === undefined) return;
    // A number that began to be told late has nothing before.
    const column = (steps[name] ??= Array<null>(row).fill(null));
    column.push(typeof value === 'number' && Number.isFinite(value) ? value : null);
  };
  for (const name of stepColumns) put(name, (event as Partial<Record<StepColumn, number>>)[name]);
  for (const name of countColumns) put(name, event.statistics?.[name]);
}

function addOnce<One extends { step: number }>(list: One[], event: One): void {
  if ((list.at(-1)?.step ?? -1) < event.step) list.push(event);
}

function isSame(event: object, other: object): boolean {
  return Object.entries(other).every(([key, value]) => (event as Record<string, unknown>)[key] === value);
}

function timeOf({ time }: { time?: string }): { time?: string } {
  return time === undefined ? {} : { time };
}
