import type { PackedJudgements } from '../../src/report/run-report.js';
import { fill, h, type Child } from '../dom.js';
import type { SideNames } from '../names.js';
import { num } from '../numbers.js';
import { oneLine, shownText } from '../shown-text.js';
import { caseName } from './row-view.js';
import type { ListedRow } from './rows.js';

/** Everything that is known of one token. */
export class Detail {
  readonly element = h('div', {
    class: 'detail',
    'aria-live': 'polite',
    role: 'region',
    'aria-label': 'The token',
  });

  constructor(private readonly sides: SideNames) {
    this.show(undefined, 0, [], 1);
  }

  show(listed: ListedRow | undefined, index: number, texts: readonly string[], topK: number): void {
    if (listed === undefined) {
      fill(
        this.element,
        h(
          'p',
          { class: 'nothing' },
          'Point at a token or tap it, or move with the arrow keys, to see what the model made of it.',
        ),
      );
      return;
    }
    const { row, before, after } = listed;
    const piece = row.pieces[row.trained[index]!] ?? '';
    const models = [before, after].filter((one) => one !== undefined);
    const both = models.length === 2;
    const line = (name: string, cell: (one: PackedJudgements) => Child) =>
      h(
        'tr',
        {},
        h('th', { scope: 'row' }, name),
        models.map((one) => h('td', { class: 'number' }, cell(one))),
      );
    fill(
      this.element,
      h('bdi', { class: 'focus' }, `“${oneLine(piece, 120)}”`),
      h(
        'table',
        {},
        both &&
          h(
            'thead',
            {},
            h(
              'tr',
              {},
              h('td', {}),
              h('th', { scope: 'col', class: 'number' }, this.sides.before),
              h('th', { scope: 'col', class: 'number' }, this.sides.after),
            ),
          ),
        h(
          'tbody',
          {},
          line('case', ({ outcome }) => h('span', { class: 'case' }, caseName(outcome[index], topK))),
          line('probability', ({ probability }) => num(probability[index], 'plain')),
          line('rank', ({ rank }) => num(rank[index], 'count')),
          line('nll', ({ nll }) => num(nll[index], 'loss')),
        ),
      ),
      models.map((one) =>
        choices(
          both ? `First choices · ${one === before ? this.sides.before : this.sides.after}` : 'First choices',
          one.choices[index] ?? [],
          texts,
          piece,
        ),
      ),
    );
  }
}

function choices(title: string, list: readonly number[], texts: readonly string[], piece: string): Child {
  if (list.length === 0) return null;
  const items = Array.from(
    { length: list.length / 2 },
    (_, i) => [texts[list[2 * i]!] ?? '', list[2 * i + 1]!] as const,
  );
  return [
    h('p', { class: 'model' }, title),
    h(
      'ol',
      { class: 'choices' },
      items.map(([text, chance]) =>
        h(
          'li',
          { class: text === piece && 'is-it' },
          h('span', { class: 'share', css: { width: `${100 * chance}%` } }),
          h(
            'bdi',
            {},
            shownText(text).replaceAll('\n', '') || '·',
            text === piece && h('span', { class: 'unseen' }, ' (the token)'),
          ),
          num(chance, 'share'),
        ),
      ),
    ),
  ];
}
