import type { ComparedGroup, Interval } from '../../src/events/token-record.js';
import type { RunReport } from '../../src/report/run-report.js';
import { bar, fromTo } from '../bar.js';
import { h, svg, type Child } from '../dom.js';
import { interval } from '../interval.js';
import { num } from '../numbers.js';
import { oneLine, shortName } from '../shown-text.js';
import { table } from '../table.js';

/** What was gained on the targets and lost elsewhere, with intervals. */
export function gained(run: RunReport, isMany: boolean): Child {
  const { comparison } = run;
  if (comparison === undefined || comparison.groups.length === 0) return null;
  const { groups } = comparison;
  const names = groups.map(({ name }) => name);
  const reach = Math.max(
    ...groups.flatMap(({ nllChange: { low, high } }) => [Math.abs(low), Math.abs(high)]),
    1e-9,
  );
  return h(
    'div',
    {},
    isMany && h('h3', {}, run.label),
    h('p', { class: 'help' }, verdict(groups)),
    table<ComparedGroup>(
      `Before and after${isMany ? `, ${run.label}` : ''}`,
      [
        {
          head: 'Rows of',
          isHead: true,
          cell: ({ name }) => h('span', { title: oneLine(name, 200) }, oneLine(shortName(name, names))),
        },
        { head: 'Kind', cell: ({ set, style }) => (set === 'retention' ? 'to be kept' : style) },
        {
          head: 'Verdict',
          cell: ({ verdict: word }) =>
            h(
              'span',
              { class: `verdict ${word}` },
              { gained: '▲ gained', lost: '▼ lost', same: '= same' }[word],
            ),
        },
        { head: 'Rows', isNumber: true, cell: ({ rows }) => num(rows, 'count') },
        { head: 'Tokens', isNumber: true, cell: ({ tokens }) => num(tokens, 'count') },
        { head: 'nll', isNumber: true, cell: ({ before, after }) => fromTo(before.nll, after.nll, 'loss') },
        {
          head: 'Change of nll, 95 %',
          isNumber: true,
          cell: ({ nllChange }) => interval(nllChange, 'change'),
        },
        {
          head: h('span', {}, '◂ better · worse ▸'),
          cell: ({ nllChange, verdict: word }) => whisker(nllChange, reach, word),
        },
        {
          head: 'First choice',
          isNumber: true,
          cell: ({ before, after }) => fromTo(before.correct, after.correct, 'share'),
        },
        {
          head: 'Change, 95 %',
          isNumber: true,
          cell: ({ correctChange }) => interval(correctChange, 'points'),
        },
        {
          head: 'Shares before',
          cell: ({ before }) =>
            bar({ correct: before.correct, among: before.inTopK, outside: before.outside }),
        },
        {
          head: 'Shares after',
          cell: ({ after }) => bar({ correct: after.correct, among: after.inTopK, outside: after.outside }),
        },
      ],
      groups,
    ),
  );
}

function verdict(groups: readonly ComparedGroup[]): string {
  const names = (word: ComparedGroup['verdict'], set: ComparedGroup['set']) =>
    groups
      .filter((group) => group.verdict === word && group.set === set)
      .map(({ name }) =>
        oneLine(
          shortName(
            name,
            groups.map((one) => one.name),
          ),
          30,
        ),
      );
  const parts: string[] = [];
  const say = (list: string[], words: string) =>
    void (list.length > 0 && parts.push(`${words} ${list.join(', ')}`));
  say(names('gained', 'eval'), 'Learned:');
  say(names('lost', 'eval'), 'Worse on held-out rows of');
  say(names('same', 'eval'), 'No clear change on');
  say(names('lost', 'retention'), 'Forgotten, in part:');
  say(names('gained', 'retention'), 'Better on text to be kept:');
  say(names('same', 'retention'), 'Kept:');
  return `${parts.join('. ')}. A change counts where its whole interval (bootstrap over rows) is on one side of 0.`;
}

/** The interval as a line about 0. */
function whisker({ value, low, high }: Interval, reach: number, word: string): SVGElement {
  const x = (at: number) => 60 + (55 * at) / reach;
  return svg(
    'svg',
    { class: `whisker ${word}`, viewBox: '0 0 120 16', width: 120, height: 16, 'aria-hidden': 'true' },
    svg('line', { x1: 60, x2: 60, y1: 1, y2: 15, class: 'zero' }),
    svg('line', { x1: x(low), x2: x(high), y1: 8, y2: 8 }),
    svg('circle', { cx: x(value), cy: 8, r: 3.5 }),
  );
}
