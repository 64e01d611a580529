import type { EvaluateEvent, LogEvent, WarningEvent } from '../../src/events/training-event.js';
import type { RunReport } from '../../src/report/run-report.js';
import { h, type Child } from '../dom.js';
import { num, text } from '../numbers.js';
import { oneLine } from '../shown-text.js';
import { table } from '../table.js';

const most = 500;

/** The numbers of the charts as tables, and what the run said. */
export function log(run: RunReport, isMany: boolean): Child {
  const name = isMany ? `, ${run.label}` : '';
  const logs = thinned(run.logs);
  return h(
    'div',
    {},
    isMany && h('h3', {}, run.label),
    run.warnings.length > 0 && warnings(run.warnings),
    run.evaluations.length > 0 &&
      folded(`Evaluations${name} (${run.evaluations.length})`, () =>
        evaluations(`Evaluations${name}`, run.evaluations),
      ),
    run.logs.length > 0 &&
      folded(`Training log${name} (${run.logs.length})`, () => [
        logs.length < run.logs.length &&
          h(
            'p',
            { class: 'help' },
            `Every ${text(Math.ceil(run.logs.length / most), 'count')}th of ${text(run.logs.length, 'count')} logs; all are in metrics.jsonl.`,
          ),
        training(`Training log${name}`, logs),
      ]),
    run.saves.length > 0 &&
      folded(`Saved${name} (${run.saves.length})`, () =>
        h(
          'ul',
          {},
          run.saves.map(({ step, path }) =>
            h('li', {}, `step ${text(step, 'count')}: `, h('code', {}, oneLine(path, 160))),
          ),
        ),
      ),
  );
}

/** Made when it is opened. */
function folded(title: string, make: () => Child): HTMLElement {
  const details = h('details', {}, h('summary', {}, title));
  details.addEventListener('toggle', () => details.append(h('div', {}, make())), { once: true });
  return details;
}

function thinned(logs: readonly LogEvent[]): readonly LogEvent[] {
  const every = Math.ceil(logs.length / most);
  return every <= 1 ? logs : logs.filter((_, i) => i % every === 0 || i === logs.length - 1);
}

function warnings(list: readonly WarningEvent[]): HTMLElement {
  return h(
    'ul',
    { class: 'warnings' },
    list.map(({ code, message, step }) =>
      h(
        'li',
        {},
        h('code', {}, code),
        step !== undefined && ` step ${text(step, 'count')}`,
        ' ',
        h('bdi', {}, oneLine(message, 600)),
      ),
    ),
  );
}

function evaluations(caption: string, rows: readonly EvaluateEvent[]): HTMLElement {
  return table<EvaluateEvent>(
    caption,
    [
      { head: 'Step', isNumber: true, isHead: true, cell: ({ step }) => num(step, 'count') },
      { head: 'Epoch', isNumber: true, cell: ({ epoch }) => num(epoch, 'plain') },
      { head: 'nll', isNumber: true, cell: ({ loss }) => num(loss, 'loss') },
      { head: 'Perplexity', isNumber: true, cell: ({ perplexity }) => num(perplexity, 'plain') },
      { head: 'First choice', isNumber: true, cell: ({ tokenAccuracy }) => num(tokenAccuracy, 'share') },
      { head: 'Among first k', isNumber: true, cell: ({ inTopKShare }) => num(inTopKShare, 'share') },
      { head: 'Outside', isNumber: true, cell: ({ outsideTopKShare }) => num(outsideTopKShare, 'share') },
      { head: 'Adaptive loss', isNumber: true, cell: ({ adaptiveLoss }) => num(adaptiveLoss, 'loss') },
      { head: 'Forgetting', isNumber: true, cell: ({ forgetting }) => num(forgetting, 'loss') },
      { head: 'Rows', isNumber: true, cell: ({ rows: count }) => num(count, 'count') },
      { head: 'Seconds', isNumber: true, cell: ({ seconds }) => num(seconds, 'plain') },
    ],
    rows,
  );
}

function training(caption: string, rows: readonly LogEvent[]): HTMLElement {
  return table<LogEvent>(
    caption,
    [
      { head: 'Step', isNumber: true, isHead: true, cell: ({ step }) => num(step, 'count') },
      { head: 'Epoch', isNumber: true, cell: ({ epoch }) => num(epoch, 'plain') },
      { head: 'Loss', isNumber: true, cell: ({ loss }) => num(loss, 'loss') },
      {
        head: 'Already correct',
        isNumber: true,
        cell: ({ statistics }) => num(statistics.already_correct, 'count'),
      },
      { head: 'In top k', isNumber: true, cell: ({ statistics }) => num(statistics.in_top_k, 'count') },
      { head: 'Outside', isNumber: true, cell: ({ statistics }) => num(statistics.outside_top_k, 'count') },
      { head: 'Gradient norm', isNumber: true, cell: ({ gradNorm }) => num(gradNorm, 'loss') },
      { head: 'Learning rate', isNumber: true, cell: ({ learningRate }) => num(learningRate, 'rate') },
      { head: 'α', isNumber: true, cell: ({ alpha }) => num(alpha, 'loss') },
      { head: 'β', isNumber: true, cell: ({ beta }) => num(beta, 'loss') },
      { head: 'Tokens', isNumber: true, cell: ({ tokens }) => num(tokens, 'count') },
      { head: 'Tokens/s', isNumber: true, cell: ({ tokensPerSecond }) => num(tokensPerSecond, 'whole') },
      { head: 'Memory', isNumber: true, cell: ({ memoryBytes }) => num(memoryBytes, 'bytes') },
    ],
    rows,
  );
}
