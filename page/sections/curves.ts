import type { RunReport } from '../../src/report/run-report.js';
import { Chart, type ChartOptions, type Line } from '../chart.js';
import {
  domainOf,
  evaluationLines,
  logLines,
  lossOf,
  seriesColor,
  shareLines,
  stepLines,
  topKOf,
} from '../run-lines.js';
import type { SharedView, View } from '../view.js';

type Runs = readonly RunReport[];

/** What shows whether it learns: held-out numbers and the shares of tokens. A chart without a line takes no room. */
export function learningCharts(runs: Runs, view: SharedView): Chart[] {
  const isOne = runs.length === 1;
  const height = 240;
  const within = (now: View): Line[] => {
    if (!isOne || topKOf(runs[0]!) < 2) return [];
    const name = `among the first ${topKOf(runs[0]!)}`;
    return evaluationLines(runs, 'inTopKShare', now).map((line) => ({
      ...line,
      name,
      color: 'among',
      dash: [6, 3],
    }));
  };
  const heldOut: ChartOptions[] = [
    {
      ...{ title: 'Held-out nll per token', kind: 'loss', canBeLog: true, height },
      lines: (now) => [...evaluationLines(runs, 'loss', now), ...(isOne ? apart(runs, now) : [])],
    },
    {
      ...{ title: 'Held-out tokens that are the first choice', kind: 'share', height },
      lines: (now) => [...evaluationLines(runs, 'tokenAccuracy', now), ...within(now)],
    },
  ];
  const trained = runs.map((run): ChartOptions => ({
    title: isOne ? 'Trained tokens, by case' : `Trained tokens, ${run.label}`,
    ...{ kind: 'share', range: [0, 1], height },
    lines: (now) => shareLines(run, now, topKOf(run)),
  }));
  return make([...heldOut, ...trained], runs, view);
}

/** Each dataset, where there are several. */
function apart(runs: Runs, now: View): Line[] {
  const lines = evaluationLines(runs, 'loss', now, 'dataset');
  return lines.length < 2
    ? []
    : lines.map((line, i) => ({ ...line, color: seriesColor(i + 1), dash: [5, 3] }));
}

/** How it trains: everything that a step tells. */
export function trainingCharts(runs: Runs, view: SharedView): Chart[] {
  const isOne = runs.length === 1;
  const isAdaptive = runs.some((run) => lossOf(run) === 'adaptive');
  /** A second number of each run: dashed, and in a colour of its own where there is but one run. */
  const second = (lines: Line[], name: string): Line[] =>
    lines.map((line) => ({
      ...line,
      dash: [5, 3],
      name: isOne ? name : `${line.name} · ${name}`,
      ...(isOne ? { color: seriesColor(1) } : {}),
    }));
  const charts: ChartOptions[] = [
    {
      ...{ title: isAdaptive ? 'Training loss (adaptive)' : 'Training loss', kind: 'loss', canBeLog: true },
      lines: (now) => [
        ...stepLines(runs, 'loss', now, 'training'),
        ...second(evaluationLines(runs, isAdaptive ? 'adaptiveLoss' : 'loss', now), 'held out'),
      ],
    },
    {
      ...{ title: 'Gradient norm', kind: 'loss', canBeLog: true },
      lines: (now) => stepLines(runs, 'gradNorm', now, 'before clipping'),
    },
    {
      ...{ title: 'Learning rate', kind: 'rate' },
      lines: (now) => stepLines(runs, 'learningRate', now, 'rate', false),
    },
    {
      ...{ title: 'α and β', kind: 'loss' },
      help: 'Above 1, α leans to attention and away from ideas, β to plain cross-entropy.',
      lines: (now) =>
        !isAdaptive
          ? []
          : [
              ...stepLines(runs, 'alpha', now, 'α', false).map((line) => ({
                ...line,
                name: isOne ? 'α' : `${line.name} · α`,
              })),
              ...second(stepLines(runs, 'beta', now, '', false), 'β'),
            ],
    },
    {
      ...{ title: 'Divergence on text to be kept', kind: 'loss' },
      help: 'KL(base ‖ model) per token in nats, as steps and as evaluations measure it.',
      lines: (now) => [
        ...stepLines(runs, 'divergence', now, 'training'),
        ...second(evaluationLines(runs, 'forgetting', now), 'forgetting'),
      ],
    },
    {
      ...{ title: 'Tokens per second', kind: 'whole' },
      lines: (now) => stepLines(runs, 'tokensPerSecond', now, 'speed'),
    },
    {
      ...{ title: 'Memory of the process', kind: 'bytes' },
      lines: (now) => logLines(runs, 'memoryBytes', now, 'resident'),
    },
    {
      ...{ title: 'Loss scale (float16)', kind: 'plain', canBeLog: true },
      lines: (now) => stepLines(runs, 'lossScale', now, 'scale', false),
    },
  ];
  return make(charts, runs, view);
}

function make(charts: readonly ChartOptions[], runs: Runs, view: SharedView): Chart[] {
  return charts.map((options) => new Chart(options, view, ({ x }) => domainOf(runs, x)));
}
