import { fromTo } from '../bar.js';
import { append, h, type Child } from '../dom.js';
import { text } from '../numbers.js';
import type { SideNames } from '../names.js';
import { oneLine, shortName, shownText } from '../shown-text.js';
import { isWanted, type ListedRow, type TokenFilter } from './rows.js';

export const cases = ['correct', 'among', 'outside'] as const;

// Trained tokens of a row that are shown before it is opened, characters of untrained text, and those of one token.
const mostTokens = 300;
const mostText = 700;
const mostPiece = 300;

export interface RowOptions {
  wanted: TokenFilter;
  topK: number;
  names: readonly string[];
  sides: SideNames;
  isOpen: boolean;
  onOpen: () => void;
}

/** A row as text, before beside after; each trained token knows its place in `data-token`. */
export function rowView(listed: ListedRow, options: RowOptions): Child[] {
  const { row, before, after, nll, nllBefore } = listed;
  const both = before !== undefined && after !== undefined;
  return [
    h(
      'header',
      {},
      h('span', {}, oneLine(shortName(row.dataset, options.names), 40)),
      ' ',
      h('span', {}, row.set === 'retention' ? 'to be kept' : row.style),
      ' ',
      h('span', {}, `row ${row.row + 1}`),
      ' ',
      h('span', {}, `${row.trained.length} trained`),
      ' ',
      h(
        'span',
        {},
        'nll ',
        fromTo(nllBefore, nll, 'loss'),
        nllBefore !== undefined &&
          h('span', { class: nll < nllBefore ? 'better' : 'worse' }, ` ${text(nll - nllBefore, 'change')}`),
      ),
    ),
    h(
      'div',
      { class: 'sides' },
      both && side(options.sides.before, listed, before.outcome, false, options),
      side(both ? options.sides.after : '', listed, (after ?? before)!.outcome, true, options),
    ),
    row.trained.length > mostTokens &&
      !options.isOpen &&
      h(
        'button',
        { type: 'button', class: 'more', on: { click: options.onOpen } },
        `Show all ${text(row.trained.length, 'count')} tokens`,
      ),
  ];
}

function side(
  title: string,
  listed: ListedRow,
  outcome: readonly number[],
  isNewest: boolean,
  options: RowOptions,
): HTMLElement {
  const box = h('div', { class: 'text' });
  const { pieces, trained } = listed.row;
  const shown = options.isOpen ? trained.length : Math.min(trained.length, mostTokens);
  let at = 0;
  for (let i = 0; i < shown; i++) {
    const place = trained[i]!;
    append(box, untrained(pieces, at, place));
    append(box, [token(listed, i, outcome[i]!, isNewest, options)]);
    at = place + 1;
  }
  append(
    box,
    shown < trained.length ? [h('span', { class: 'gap' }, ' …')] : untrained(pieces, at, pieces.length),
  );
  return h('div', { class: 'side' }, title !== '' && h('p', { class: 'model' }, title), box);
}

function untrained(pieces: readonly string[], from: number, to: number): Child[] {
  if (from >= to) return [];
  const whole = pieces.slice(from, to).join('');
  if (whole.length <= mostText) return [h('bdi', {}, shownText(whole))];
  const [head, tail] = [whole.slice(0, mostText / 2), whole.slice(-mostText / 2)];
  const gap = ` … ${text(whole.length - mostText, 'count')} characters … `;
  return [h('bdi', {}, shownText(head)), h('span', { class: 'gap' }, gap), h('bdi', {}, shownText(tail))];
}

function token(
  listed: ListedRow,
  index: number,
  outcome: number,
  isNewest: boolean,
  { wanted, topK }: RowOptions,
): HTMLElement {
  const piece = listed.row.pieces[listed.row.trained[index]!] ?? '';
  const whole = shownText(piece.length > mostPiece ? `${piece.slice(0, mostPiece)}…` : piece) || '·';
  // A line break at the end of the row would be an empty line.
  const isLast = listed.row.trained[index] === listed.row.pieces.length - 1;
  const shown = isLast ? whole.replace(/\n$/, '') : whole;
  const name = cases[outcome] ?? 'outside';
  const isQuiet = !isWanted(listed, index, wanted);
  const props = { class: `token ${name}${isQuiet ? ' quiet' : ''}`, 'data-token': index };
  if (!isNewest) return h('span', props, shown);
  const label = `${oneLine(piece, 40) || 'empty'}: ${caseName(outcome, topK)}`;
  return h('span', { ...props, role: 'button', tabindex: -1, 'aria-label': label }, shown);
}

/** What a case is called. */
export function caseName(outcome: number | undefined, topK: number): string {
  if (outcome === undefined) return '–';
  if (outcome === 0) return 'correct';
  if (topK === 1) return outcome === 1 ? 'as likely as the first choice' : 'not the first choice';
  return `${outcome === 1 ? 'among' : 'outside'} the first ${topK}`;
}
