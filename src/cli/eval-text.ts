import { format } from '../common/format.js';
import { renderTable } from '../common/table.js';
import type { EvalReport, EvaluatedGroup } from '../events/eval-report.js';
import type { Interval } from '../events/token-record.js';
import { comparisonText } from '../trackers/terminal/comparison-text.js';

/** What `eval` prints. */
export function evalText(report: EvalReport): string {
  const { model, topK, rows, rowsInAll, metrics, groups, against } = report;
  const looked =
    rows < rowsInAll ? `${format.count(rows)} of ${format.count(rowsInAll)}` : `all ${format.count(rows)}`;
  const parts = [
    `${model} on ${looked} held-out rows, ${format.count(metrics.labelledTokens)} trained tokens`,
    renderTable(
      ['', 'value'],
      [
        ['loss (nll)', format.loss(metrics.loss)],
        ['perplexity', format.loss(metrics.perplexity)],
        ['correct', percent(metrics.tokenAccuracy)],
        [`among first ${topK}`, percent(metrics.inTopKShare)],
        [`outside first ${topK}`, percent(metrics.outsideTopKShare)],
        ...(metrics.adaptiveLoss === undefined
          ? []
          : [['adaptive loss (α = β = 1)', format.loss(metrics.adaptiveLoss)]]),
      ],
    ),
    renderTable(
      ['', 'rows', 'nll (95 %)', 'perplexity', 'correct (95 %)', `first ${topK}`],
      groups.map(groupCells),
    ),
  ];
  if (against !== undefined)
    parts.push(`against ${against.model}:`, comparisonText(against.comparison), gainedAndLost(report));
  return parts.join('\n\n');
}

/** A sentence of what the comparison means. */
function gainedAndLost({ against }: EvalReport): string {
  const { groups } = against!.comparison;
  const names = (set: string, verdict: string) =>
    groups.filter((group) => group.set === set && group.verdict === verdict).map(({ name }) => name);
  const said = (what: string, list: readonly string[]) =>
    list.length === 0 ? [] : [`${what} ${list.join(', ')}`];
  const parts = [
    ...said('gained on', names('eval', 'gained')),
    ...said('lost on', names('eval', 'lost')),
    ...said('lost elsewhere:', names('retention', 'lost')),
    ...said('better elsewhere:', names('retention', 'gained')),
  ];
  return parts.length === 0 ? 'no difference that these rows are sure of' : parts.join('; ');
}

function groupCells(group: EvaluatedGroup): string[] {
  const { name, style, rows, perplexity, correct, inTopK, nllInterval, correctInterval } = group;
  return [
    style === undefined ? `${name} (to keep)` : `${name} (${style})`,
    format.count(rows),
    interval(nllInterval, (value) => value.toFixed(3)),
    format.loss(perplexity),
    interval(correctInterval, percent),
    percent(correct + inTopK),
  ];
}

function interval({ value, low, high }: Interval, text: (value: number) => string): string {
  return `${text(value)} [${text(low)}, ${text(high)}]`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)}%`;
}
