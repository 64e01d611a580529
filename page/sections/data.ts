import type { DatasetReport } from '../../src/events/dataset-report.js';
import type { RunReport } from '../../src/report/run-report.js';
import { h, type Child } from '../dom.js';
import { num, text } from '../numbers.js';
import { oneLine, shortName, shownText } from '../shown-text.js';
import { table } from '../table.js';

/** The rows of each dataset: how many, how long, and what was left out. */
export function data(run: RunReport, isMany: boolean): Child {
  const { datasets, samples } = run;
  if (datasets.length === 0) return null;
  const names = datasets.map(({ name }) => name);
  return h(
    'div',
    {},
    isMany && h('h3', {}, run.label),
    table<DatasetReport>(
      `Datasets${isMany ? ` of ${run.label}` : ''}`,
      [
        {
          head: 'Dataset',
          isHead: true,
          cell: ({ name }) => h('span', { title: oneLine(name, 200) }, oneLine(shortName(name, names))),
        },
        { head: 'Style', cell: ({ style }) => style },
        {
          head: 'Training rows',
          isNumber: true,
          cell: ({ train, trimmedTo }) => [
            num(train, 'count'),
            trimmedTo !== null && h('small', {}, ` limit ${text(trimmedTo, 'count')}`),
          ],
        },
        {
          head: 'Held-out rows',
          isNumber: true,
          cell: (one) => [
            num(one.eval, 'count'),
            one.evalFrom !== 'none' && h('small', {}, ` ${one.evalFrom}`),
          ],
        },
        { head: 'Tokens', isNumber: true, cell: ({ tokens }) => num(tokens, 'count') },
        {
          head: 'Trained tokens',
          isNumber: true,
          cell: ({ trainedTokens, tokens }) => [
            num(trainedTokens, 'count'),
            h('small', {}, ` ${tokens > 0 ? text(trainedTokens / tokens, 'share') : '–'}`),
          ],
        },
        { head: 'Left out', cell: leftOut },
        {
          head: 'System prompt',
          cell: ({ systemPrompt }) =>
            systemPrompt === ''
              ? h('span', { class: 'none' }, 'none')
              : h('bdi', {}, oneLine(systemPrompt, 80)),
        },
      ],
      datasets,
    ),
    bad(datasets),
    samples.length > 0 &&
      h(
        'details',
        {},
        h('summary', {}, `Training rows as text (${samples.length})`),
        samples.map(({ source, text: row }) =>
          h(
            'figure',
            { class: 'sample' },
            h('figcaption', {}, oneLine(shortName(source, names))),
            h(
              'pre',
              { tabindex: 0 },
              h(
                'bdi',
                {},
                shownText(row.slice(0, 4000)),
                row.length > 4000 && ` … ${text(row.length - 4000, 'count')} more characters`,
              ),
            ),
          ),
        ),
      ),
  );
}

function leftOut(one: DatasetReport): Child {
  const reasons: [number, string][] = [
    [one.droppedTooLong, 'too long'],
    [one.droppedNoTrainedToken, 'without a trained token'],
    [one.skippedByFunction, 'skipped by the function'],
    [one.skippedBad, 'unusable'],
  ];
  const given = reasons.filter(([count]) => count > 0);
  if (given.length === 0 && one.ignoredColumns.length === 0) return h('span', { class: 'none' }, 'nothing');
  return [
    given.map(([count, reason]) => h('div', {}, num(count, 'count'), ` ${reason}`)),
    one.ignoredColumns.length > 0 &&
      h(
        'div',
        { class: 'none' },
        `columns not read: ${one.ignoredColumns.map((name) => oneLine(name, 30)).join(', ')}`,
      ),
  ];
}

function bad(datasets: readonly DatasetReport[]): Child {
  const rows = datasets.flatMap(({ badRows }) => badRows);
  if (rows.length === 0) return null;
  return h(
    'details',
    {},
    h('summary', {}, `Unusable rows (the first ${rows.length})`),
    h(
      'ul',
      {},
      rows.map(({ where, reason }) =>
        h('li', {}, h('bdi', {}, oneLine(where, 100)), ': ', h('bdi', {}, oneLine(reason, 300))),
      ),
    ),
  );
}
