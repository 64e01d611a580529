import type { EvaluationMetrics } from '../../src/events/training-event.js';
import type { RunReport } from '../../src/report/run-report.js';
import { bar, fromTo, type Shares } from '../bar.js';
import { h, type Child } from '../dom.js';
import { num } from '../numbers.js';
import { oneLine, shortName } from '../shown-text.js';
import { table } from '../table.js';
import { last } from './summary.js';

interface Group {
  name: string;
  title: string;
  run: RunReport;
  first: EvaluationMetrics | undefined;
  last: EvaluationMetrics;
}

const shares = ({ tokenAccuracy, inTopKShare, outsideTopKShare }: EvaluationMetrics): Shares => ({
  correct: tokenAccuracy,
  among: inTopKShare - tokenAccuracy,
  outside: outsideTopKShare,
});

/** Held-out numbers of each dataset and each style. */
export function groupTables(runs: readonly RunReport[]): Child {
  const evaluated = runs.filter(({ evaluations }) => evaluations.length > 0);
  if (evaluated.length === 0) {
    const hasRows = runs.some(({ start }) => (start?.evalRows ?? 0) > 0);
    const why = hasRows
      ? 'No evaluation was made so far.'
      : 'No rows are held out. A validation split of a dataset shows numbers on rows that are not trained.';
    return h('p', { class: 'nothing' }, why);
  }
  const of = (kind: 'bySource' | 'byStyle'): Group[] => {
    const names = [...new Set(evaluated.flatMap((run) => Object.keys(last(run)![kind])))];
    return names.flatMap((name) =>
      evaluated.flatMap((run) => {
        const groups = (one: RunReport['evaluations'][number] | undefined) =>
          one?.[kind] as Record<string, EvaluationMetrics> | undefined;
        const final = groups(last(run))?.[name];
        if (final === undefined) return [];
        const before = run.evaluations.length > 1 ? groups(run.evaluations[0])?.[name] : undefined;
        return [
          {
            name,
            title: kind === 'bySource' ? shortName(name, names) : name,
            run,
            first: before,
            last: final,
          },
        ];
      }),
    );
  };
  return h(
    'div',
    { class: 'groups' },
    h('h3', {}, 'By dataset'),
    groupTable('Held-out numbers by dataset', of('bySource'), runs.length > 1),
    h('h3', {}, 'By learning style'),
    groupTable('Held-out numbers by learning style', of('byStyle'), runs.length > 1),
  );
}

function groupTable(caption: string, groups: readonly Group[], isMany: boolean): HTMLElement {
  return table<Group>(
    caption,
    [
      {
        head: 'Rows of',
        isHead: true,
        cell: ({ name, title }) => h('span', { title: oneLine(name, 200) }, oneLine(title)),
      },
      ...(isMany ? [{ head: 'Run', cell: ({ run }: Group) => run.label }] : []),
      { head: 'Rows', isNumber: true, cell: (group) => num(group.last.rows, 'count') },
      { head: 'Tokens', isNumber: true, cell: (group) => num(group.last.labelledTokens, 'count') },
      { head: 'nll', isNumber: true, cell: (group) => fromTo(group.first?.loss, group.last.loss, 'loss') },
      {
        head: 'Perplexity',
        isNumber: true,
        cell: (group) => fromTo(group.first?.perplexity, group.last.perplexity, 'plain'),
      },
      {
        head: 'First choice',
        isNumber: true,
        cell: (group) => fromTo(group.first?.tokenAccuracy, group.last.tokenAccuracy, 'share'),
      },
      {
        head: 'Among first k',
        isNumber: true,
        cell: (group) => fromTo(group.first?.inTopKShare, group.last.inTopKShare, 'share'),
      },
      { head: 'Shares now', cell: (group) => bar(shares(group.last)) },
    ],
    groups,
  );
}
