import type { DatasetReport } from '../../events/dataset-report.js';
import { format } from '../../common/format.js';

/** Returns a paragraph for each dataset: rows to train and to evaluate, what was left out, and why. */
export function datasetsText(report: readonly DatasetReport[]): string {
  return report.map(datasetText).join('\n');
}

function datasetText(dataset: DatasetReport): string {
  const { name, style, train, eval: evaluated, evalFrom, trimmedTo } = dataset;
  const held = evalFrom === 'held out' ? ' held out' : '';
  const trimmed = trimmedTo === null ? '' : ` (trimmed to ${format.count(trimmedTo)})`;
  const reasons: [number, string][] = [
    [dataset.droppedTooLong, 'too long (maxLengthToken)'],
    [dataset.droppedNoTrainedToken, 'without a trained token'],
    [dataset.skippedByFunction, 'skipped by the processing function'],
    [dataset.skippedBad, 'that could not be used'],
  ];
  const left = reasons
    .filter(([count]) => count > 0)
    .map(([count, why]) => `${format.count(count)} ${why}`)
    .join(', ');
  const unlisted = dataset.skippedBad - dataset.badRows.length;
  return [
    `${name} · ${style}: ${format.count(train)} rows to train${trimmed}, ${format.count(evaluated)} to evaluate${held}; ` +
      `left out: ${left || 'none'}`,
    ...dataset.badRows.map(({ where, reason }) => `  left out ${where}: ${reason}`),
    ...(unlisted > 0 ? [`  and ${format.count(unlisted)} more`] : []),
  ].join('\n');
}
