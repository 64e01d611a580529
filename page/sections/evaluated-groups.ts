import type { EvaluatedGroup } from '../../src/events/eval-report.js';
import { bar } from '../bar.js';
import { h, type Child } from '../dom.js';
import { interval } from '../interval.js';
import { num } from '../numbers.js';
import { oneLine, shortName } from '../shown-text.js';
import { table } from '../table.js';

/** What a model makes of each dataset, and of text to be kept, with intervals. */
export function evaluatedGroups(groups: readonly EvaluatedGroup[]): Child {
  const names = groups.map(({ name }) => name);
  return [
    h(
      'p',
      { class: 'help' },
      'Intervals are of 95 %, by bootstrap over rows. Text to be kept is trained by no run.',
    ),
    table<EvaluatedGroup>(
      'Each dataset and text to be kept',
      [
        {
          head: 'Rows of',
          isHead: true,
          cell: ({ name }) => h('span', { title: oneLine(name, 200) }, oneLine(shortName(name, names))),
        },
        { head: 'Kind', cell: ({ set, style }) => (set === 'retention' ? 'to be kept' : style) },
        { head: 'Rows', isNumber: true, cell: ({ rows }) => num(rows, 'count') },
        { head: 'Tokens', isNumber: true, cell: ({ tokens }) => num(tokens, 'count') },
        { head: 'nll, 95 %', isNumber: true, cell: ({ nllInterval }) => interval(nllInterval, 'loss') },
        { head: 'Perplexity', isNumber: true, cell: ({ perplexity }) => num(perplexity, 'plain') },
        {
          head: 'First choice, 95 %',
          isNumber: true,
          cell: ({ correctInterval }) => interval(correctInterval, 'share'),
        },
        { head: 'Shares', cell: ({ correct, inTopK, outside }) => bar({ correct, among: inTopK, outside }) },
      ],
      groups,
    ),
  ];
}
