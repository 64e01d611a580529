import { format } from '../../common/format.js';
import { renderTable } from '../../common/table.js';
import type { ComparedGroup, Comparison, Interval } from '../../events/token-record.js';

const enoughRows = 5;

/** Two models, or one before and after a run, as a table: a line for each dataset, the held-out ones first. */
export function comparisonText({ topK, groups }: Pick<Comparison, 'topK' | 'groups'>): string {
  const headers = [
    '',
    'rows',
    'nll before',
    'after',
    'change (95 %)',
    `correct`,
    'after',
    `first ${topK}`,
    'after',
    '',
  ];
  return renderTable(headers, groups.map(groupCells));
}

function groupCells(group: ComparedGroup): string[] {
  const { name, style, rows, before, after, nllChange } = group;
  const near = ({ correct, inTopK }: ComparedGroup['before']) => format.share(correct + inTopK, 1);
  return [
    style === undefined ? `${name} (to keep)` : `${name} (${style})`,
    format.count(rows),
    format.loss(before.nll),
    format.loss(after.nll),
    rows < enoughRows ? 'too few rows to tell' : intervalText(nllChange),
    format.share(before.correct, 1),
    format.share(after.correct, 1),
    near(before),
    near(after),
    rows < enoughRows ? '' : group.verdict,
  ];
}

function intervalText({ value, low, high }: Interval): string {
  return `${signed(value)} [${signed(low)}, ${signed(high)}]`;
}

function signed(value: number): string {
  const digits = value.toFixed(3);
  return value > 0 ? `+${digits}` : digits.replace('-', '−');
}
