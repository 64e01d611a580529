import type { RunReport } from '../../src/report/run-report.js';
import { Chart, type ChartOptions } from '../chart.js';
import { evaluationLines, logLines, lossOf, shareLines, stepLines, topKOf } from '../run-lines.js';
import type { SharedView } from '../view.js';

type Runs = readonly RunReport[];

/** What shows whether it learns: held-out numbers and the shares of tokens. */
export function learningCharts(runs: Runs, view: SharedView): Chart[] {
  const charts: ChartOptions[] = [];
  if (has(runs, ({ evaluations }) => evaluations.length > 0)) {
    charts.push({
      title: 'Held-out nll per token',
      kind: 'loss',
      canBeLog: true,
      height: 240,
      lines: (now) => [...evaluationLines(runs, 'loss', now), ...(runs.length === 1 ? apart(runs, now) : [])],
    });
    charts.push({
      title: 'Held-out tokens that are the first choice',
      kind: 'share',
      height: 240,
      lines: (now) => [
        ...evaluationLines(runs, 'tokenAccuracy', now),
        ...(runs.length === 1 && has(runs, (run) => topKOf(run) > 1)
          ? evaluationLines(runs, 'inTopKShare', now).map((line) => ({
              ...line,
              name: `among the first ${topKOf(runs[0]!)}`,
              color: 'among',
              dash: [6, 3],
            }))
          : []),
      ],
    });
  }
  for (const run of runs) {
    if (run.steps.already_correct === undefined) continue;
    charts.push({
      title:
        runs.length > 1 ? `Trained tokens, ${run.label}` : 'Trained tokens by what the model made of them',
      kind: 'share',
      range: [0, 1],
      height: 240,
      lines: (now) => shareLines(run, now, topKOf(run)),
    });
  }
  return charts.map((options) => new Chart(options, view));
}

/** Each dataset, where there are several. */
function apart(runs: Runs, now: SharedView['value']) {
  const lines = evaluationLines(runs, 'loss', now, 'dataset');
  return lines.length < 2
    ? []
    : lines.map((line, i) => ({ ...line, color: `series-${((i + 1) % 8) + 1}`, dash: [5, 3] }));
}

/** How it trains: everything that a step tells. */
export function trainingCharts(runs: Runs, view: SharedView): Chart[] {
  const isAdaptive = has(runs, (run) => lossOf(run) === 'adaptive');
  const charts: (ChartOptions | false)[] = [
    {
      title: isAdaptive ? 'Training loss (adaptive)' : 'Training loss',
      kind: 'loss',
      canBeLog: true,
      lines: (now) => [
        ...stepLines(runs, 'loss', now, 'training'),
        ...(isAdaptive
          ? evaluationLines(runs, 'adaptiveLoss', now).map((line) => ({
              ...line,
              name: runs.length > 1 ? `${line.name} · held out` : 'held out',
              dash: [5, 3],
              ...(runs.length > 1 ? {} : { color: 'series-2' }),
            }))
          : []),
      ],
    },
    {
      title: 'Gradient norm',
      kind: 'loss',
      canBeLog: true,
      lines: (now) => stepLines(runs, 'gradNorm', now, 'before clipping'),
    },
    {
      title: 'Learning rate',
      kind: 'rate',
      lines: (now) => stepLines(runs, 'learningRate', now, 'rate', false),
    },
    isAdaptive && {
      title: 'α and β',
      help: 'α leans to attention above 1, to ideas below. β leans to plain cross-entropy above 1.',
      kind: 'loss',
      lines: (now) => [
        ...stepLines(runs, 'alpha', now, 'α', false).map((line) => ({
          ...line,
          name: runs.length > 1 ? `${line.name} α` : line.name,
        })),
        ...stepLines(runs, 'beta', now, 'β', false).map((line) => ({
          ...line,
          dash: [5, 3],
          ...(runs.length > 1 ? { name: `${line.name} β` } : { color: 'series-2' }),
        })),
      ],
    },
    has(runs, ({ steps }) => steps.divergence !== undefined) && {
      title: 'Divergence on text to be kept',
      help: 'KL(base ‖ model) per token in nats, as each step measures it and as evaluations do.',
      kind: 'loss',
      lines: (now) => [
        ...stepLines(runs, 'divergence', now, 'training'),
        ...evaluationLines(runs, 'forgetting', now).map((line) => ({
          ...line,
          name: runs.length > 1 ? `${line.name} · forgetting` : 'forgetting',
          dash: [5, 3],
          ...(runs.length > 1 ? {} : { color: 'series-2' }),
        })),
      ],
    },
    {
      title: 'Tokens per second',
      kind: 'whole',
      lines: (now) => stepLines(runs, 'tokensPerSecond', now, 'speed'),
    },
    has(runs, ({ logs }) => logs.some(({ memoryBytes }) => memoryBytes !== undefined)) && {
      title: 'Memory of the process',
      kind: 'bytes',
      lines: (now) => logLines(runs, 'memoryBytes', now, 'resident'),
    },
    has(runs, ({ steps }) => steps.lossScale !== undefined) && {
      title: 'Loss scale (float16)',
      kind: 'plain',
      canBeLog: true,
      lines: (now) => stepLines(runs, 'lossScale', now, 'scale', false),
    },
  ];
  return charts.filter((options) => options !== false).map((options) => new Chart(options, view));
}

const has = (runs: Runs, test: (run: RunReport) => boolean) => runs.some(test);
