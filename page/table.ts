import { h, type Child } from './dom.js';

/** A column of a table. */
export interface Col<Row> {
  head: Child;
  cell: (row: Row) => Child;
  /** Numbers stand right, so that their digits line up. */
  isNumber?: boolean;
  /** The column that names the row. */
  isHead?: boolean;
}

/** A table that scrolls sideways by itself where the page is narrow. */
export function table<Row>(caption: string, columns: readonly Col<Row>[], rows: readonly Row[]): HTMLElement {
  const frame = h(
    'div',
    { class: 'table', role: 'region', tabindex: 0, 'aria-label': caption },
    h(
      'table',
      {},
      h('caption', { class: 'unseen' }, caption),
      h(
        'thead',
        {},
        h(
          'tr',
          {},
          columns.map(({ head, isNumber }) => h('th', { scope: 'col', class: isNumber && 'number' }, head)),
        ),
      ),
      h(
        'tbody',
        {},
        rows.map((row) =>
          h(
            'tr',
            {},
            columns.map(({ cell, isNumber, isHead }) =>
              isHead
                ? h('th', { scope: 'row' }, cell(row))
                : h('td', { class: isNumber && 'number' }, cell(row)),
            ),
          ),
        ),
      ),
    ),
  );
  return frame;
}

/** A part of the page. */
export function section(id: string, title: string, ...children: Child[]): HTMLElement {
  return h(
    'section',
    { id, 'aria-labelledby': `${id}-title` },
    h('h2', { id: `${id}-title` }, title),
    children,
  );
}
