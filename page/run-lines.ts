import type { EvaluateEvent, EvaluationMetrics, LogEvent } from '../src/events/training-event.js';
import type { Column, RunReport, StepColumn } from '../src/report/run-report.js';
import type { Line } from './chart.js';
import { shortName } from './shown-text.js';
import type { View, XAxis } from './view.js';

const palette = [
  'series-1',
  'series-2',
  'series-3',
  'series-4',
  'series-5',
  'series-6',
  'series-7',
  'series-8',
];

export const seriesColor = (index: number): string => palette[index % palette.length]!;

/** Where steps are along the axis. */
export function xOfSteps(run: RunReport, axis: XAxis): readonly number[] {
  const { step, epoch, secondsPerStep } = run.steps;
  if (axis === 'epoch') return epoch?.map((value) => value ?? 0) ?? step;
  if (axis === 'step') return step;
  let seconds = 0;
  return step.map((_, i) => (seconds += secondsPerStep?.[i] ?? 0) / 60);
}

function xOfEvents(
  run: RunReport,
  events: readonly { step: number; epoch: number }[],
  axis: XAxis,
): number[] {
  if (axis === 'step') return events.map(({ step }) => step);
  if (axis === 'epoch') return events.map(({ epoch }) => epoch);
  const minutes = xOfSteps(run, 'minutes');
  const { step } = run.steps;
  return events.map((event) => {
    let place = -1;
    while (place + 1 < step.length && step[place + 1]! <= event.step) place++;
    return place < 0 ? 0 : minutes[place]!;
  });
}

/** A number of every step, a line for each run. */
export function stepLines(
  runs: readonly RunReport[],
  name: StepColumn,
  view: View,
  title: string,
  isNoisy = true,
): Line[] {
  return runs.flatMap((run, i) => {
    const y = run.steps[name];
    if (y === undefined) return [];
    return [
      {
        name: runs.length > 1 ? run.label : title,
        x: xOfSteps(run, view.x),
        y,
        color: seriesColor(i),
        isNoisy,
      },
    ];
  });
}

/** A number of the logs. */
export function logLines(
  runs: readonly RunReport[],
  name: keyof LogEvent,
  view: View,
  title: string,
): Line[] {
  return runs.map((run, i) => ({
    name: runs.length > 1 ? run.label : title,
    x: xOfEvents(run, run.logs, view.x),
    y: run.logs.map((log) => finite(log[name])),
    color: seriesColor(i),
  }));
}

/** What of an evaluation is drawn apart. */
export type Grouping = 'all' | 'dataset' | 'style';

/** A number of the evaluations. */
export function evaluationLines(
  runs: readonly RunReport[],
  name: keyof EvaluationMetrics | 'adaptiveLoss' | 'forgetting',
  view: View,
  grouping: Grouping = 'all',
): Line[] {
  const isOne = runs.length === 1;
  return runs.flatMap((run, i) => {
    const { evaluations } = run;
    const x = xOfEvents(run, evaluations, view.x);
    const line = (label: string, y: Column, index: number, color: string): Line => ({
      name: isOne ? label : `${run.label}${label === '' ? '' : ` · ${label}`}`,
      ...{ x, y, color, hasDots: true },
      ...(index === 0 ? {} : { dash: [4 + 2 * index, 3] }),
    });
    if (grouping === 'all')
      return [
        line(
          isOne ? 'all held-out rows' : '',
          evaluations.map((one) => finite((one as unknown as Record<string, unknown>)[name])),
          0,
          seriesColor(i),
        ),
      ];
    const groups = (one: EvaluateEvent) =>
      (grouping === 'dataset' ? one.bySource : one.byStyle) as Record<string, EvaluationMetrics>;
    const names = [...new Set(evaluations.flatMap((one) => Object.keys(groups(one))))];
    return names.map((group, j) =>
      line(
        grouping === 'dataset' ? shortName(group, names) : group,
        evaluations.map((one) => finite(groups(one)[group]?.[name as keyof EvaluationMetrics])),
        isOne ? 0 : j,
        seriesColor(isOne ? j : i),
      ),
    );
  });
}

/** The shares of trained tokens by what the model made of them, each drawn upon the one before it. */
export function shareLines(run: RunReport, view: View, topK: number): Line[] {
  const {
    total_tokens: total,
    already_correct: correct,
    in_top_k: within,
    outside_top_k: outside,
  } = run.steps;
  if (total === undefined || correct === undefined || within === undefined || outside === undefined)
    return [];
  const x = xOfSteps(run, view.x);
  const share = (part: (i: number) => number | null): Column =>
    total.map((count, i) => {
      const value = part(i);
      return count === null || count === 0 || value === null ? null : value / count;
    });
  const among = share((i) => (within[i] ?? 0) - (correct[i] ?? 0));
  const base = { x, isNoisy: true, isArea: true };
  const lines: Line[] = [
    {
      ...base,
      name: topK > 1 ? `outside the first ${topK}` : 'not the first choice',
      y: share((i) => total[i]!),
      color: 'outside',
      read: { y: share((i) => outside[i]!), kind: 'share' },
    },
  ];
  if (topK > 1)
    lines.push({
      ...base,
      name: `among the first ${topK}`,
      y: share((i) => within[i]!),
      color: 'among',
      read: { y: among, kind: 'share' },
    });
  lines.push({
    ...base,
    name: 'already correct',
    y: share((i) => correct[i]!),
    color: 'correct',
    read: { y: share((i) => correct[i]!), kind: 'share' },
  });
  return lines;
}

/** The top-k of a run's loss. */
export function topKOf(run: RunReport): number {
  const config = run.start?.config['adaptiveLossConfig'] as { topK?: number } | undefined;
  return run.topK ?? run.comparison?.topK ?? config?.topK ?? 8;
}

export function lossOf(run: RunReport): string {
  const config = run.start?.config['adaptiveLossConfig'] as { loss?: string } | undefined;
  return config?.loss ?? 'adaptive';
}

function finite(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

/** Least and greatest place along the axis, of all runs together; from 0 unless they begin far from it. */
export function domainOf(runs: readonly RunReport[], axis: XAxis): [number, number] {
  const ends = runs.flatMap((run) => {
    const steps = xOfSteps(run, axis);
    const evaluations = xOfEvents(run, run.evaluations, axis);
    return [steps[0], steps.at(-1), evaluations[0], evaluations.at(-1)].filter((x) => x !== undefined);
  });
  const [first, last] = [Math.min(...ends), Math.max(...ends)];
  if (ends.length === 0 || last <= 0) return [0, 1];
  return [first < last / 4 || first === last ? 0 : first, last];
}
