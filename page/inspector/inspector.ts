import { elementScroll, observeElementOffset, observeElementRect, Virtualizer } from '@tanstack/virtual-core';
import type { RunReport } from '../../src/report/run-report.js';
import { fill, h } from '../dom.js';
import { text } from '../numbers.js';
import type { SideNames } from '../names.js';
import { topKOf } from '../run-lines.js';
import { oneLine, shortName } from '../shown-text.js';
import { Detail } from './detail.js';
import { caseName, rowView } from './row-view.js';
import {
  find,
  isWanted,
  listRows,
  type Filter,
  type ListedRow,
  type Order,
  type TokenFilter,
} from './rows.js';

type RowList = Virtualizer<HTMLElement, HTMLElement>;

/** Held-out rows as text, each trained token by its case. Only rows in sight are in the document. */
export class Inspector {
  readonly element: HTMLElement;
  private readonly detail: Detail;
  private readonly list = h('div', { role: 'list' });
  private readonly scroller = h('div', { class: 'rows' }, this.list);
  private readonly legend = h('div', { class: 'legend' });
  private readonly count = h('p', { class: 'hint', role: 'status' });
  private readonly filters = h('div', {
    class: 'filters',
    role: 'group',
    'aria-label': 'Which rows are shown',
  });
  private readonly opened = new Set<ListedRow>();
  private run: RunReport;
  private rows: ListedRow[] = [];
  private found: ListedRow[] = [];
  private filter: Filter = { dataset: '', style: '', set: '', tokens: 'all', search: '', order: 'worst' };
  private active: { listed: ListedRow; token: number } | undefined;
  private virtual: RowList | undefined;

  constructor(
    private readonly runs: readonly RunReport[],
    private readonly sides: SideNames,
  ) {
    this.detail = new Detail(sides);
    this.run = runs[0]!;
    this.element = h(
      'div',
      {},
      this.filters,
      this.legend,
      h('div', { class: 'inspector' }, this.scroller, this.detail.element),
      this.count,
    );
    this.scroller.addEventListener('mouseover', (event) => this.onPoint(event));
    this.scroller.addEventListener('click', (event) => this.onPoint(event));
    this.scroller.addEventListener('focusin', (event) => this.onPoint(event));
    this.scroller.addEventListener('keydown', (event) => this.onKey(event));
  }

  /** Begins to show, once the element is in the document. */
  start(): void {
    this.virtual = new Virtualizer<HTMLElement, HTMLElement>(this.virtualOptions());
    this.virtual._didMount();
    this.choose(this.run);
  }

  private choose(run: RunReport): void {
    this.run = run;
    this.rows = listRows(run);
    // Texts to be kept are long and often foreign to a model; what was to be learned comes first.
    const hasHeldOut = this.rows.some(({ row }) => row.set === 'eval');
    this.filter = { ...this.filter, dataset: '', style: '', set: hasHeldOut ? 'eval' : '' };
    this.makeLegend();
    this.makeFilters();
    this.refresh();
  }

  private get hasBoth(): boolean {
    return this.rows.some(({ before, after }) => before !== undefined && after !== undefined);
  }

  private refresh(): void {
    this.found = find(this.rows, this.filter);
    const { rowsInAll } = this.run.inspection!;
    const beside =
      rowsInAll === undefined ? '' : ` (the run inspected ${text(rowsInAll, 'count')}; these fit the page)`;
    this.count.textContent = `${text(this.found.length, 'count')} of ${text(this.rows.length, 'count')} rows${beside}. Arrow keys: tokens and rows.`;
    this.active = undefined;
    this.detail.show(undefined, 0, [], 1);
    this.scroller.scrollTop = 0;
    this.virtual!.setOptions(this.virtualOptions());
    this.virtual!.measure();
    this.virtual!._willUpdate();
    this.render(true);
  }

  private virtualOptions() {
    return {
      count: this.found.length,
      getScrollElement: () => this.scroller,
      estimateSize: (index: number) => 64 + 22 * Math.ceil((this.found[index]?.row.pieces.length ?? 20) / 12),
      getItemKey: (index: number) => `${this.found[index]?.row.set} ${this.found[index]?.row.row}`,
      overscan: 3,
      scrollToFn: elementScroll,
      observeElementRect,
      observeElementOffset,
      onChange: () => this.render(),
    };
  }

  private readonly shown = new Map<number, HTMLElement>();

  /** Puts the rows in sight into the document, and takes the others out. */
  private render(isAnew = false): void {
    const virtual = this.virtual!;
    if (isAnew) {
      this.shown.clear();
      this.list.replaceChildren();
      virtual.measureElement(null as unknown as HTMLElement);
    }
    this.list.style.height = `${virtual.getTotalSize()}px`;
    const items = virtual.getVirtualItems();
    const wanted = new Set(items.map(({ index }) => index));
    for (const [index, element] of this.shown) {
      if (wanted.has(index)) continue;
      element.remove();
      this.shown.delete(index);
    }
    const fresh: HTMLElement[] = [];
    for (const { index, start } of items) {
      let element = this.shown.get(index);
      if (element === undefined) {
        element = this.rowElement(index);
        this.shown.set(index, element);
        // Readers of the document meet the rows in their order.
        const next = [...this.shown.keys()].filter((other) => other > index).sort((a, b) => a - b)[0];
        this.list.insertBefore(element, next === undefined ? null : (this.shown.get(next) ?? null));
        fresh.push(element);
      }
      element.style.transform = `translateY(${start}px)`;
    }
    for (const element of fresh) virtual.measureElement(element);
    if (this.found.length === 0)
      fill(this.list, h('p', { class: 'nothing', role: 'listitem' }, 'No row fits these filters.'));
    this.keepReachable();
  }

  private rowElement(index: number): HTMLElement {
    const listed = this.found[index]!;
    return h(
      'div',
      {
        class: 'row',
        role: 'listitem',
        'data-index': index,
        'aria-setsize': this.found.length,
        'aria-posinset': index + 1,
      },
      rowView(listed, {
        wanted: this.filter.tokens,
        topK: topKOf(this.run),
        names: this.rows.map(({ row }) => row.dataset).filter((name, i, all) => all.indexOf(name) === i),
        sides: this.sides,
        isOpen: this.opened.has(listed),
        onOpen: () => {
          this.opened.add(listed);
          const old = this.shown.get(index);
          this.shown.delete(index);
          old?.remove();
          this.render();
        },
      }),
    );
  }

  /** One token in sight can be reached with the Tab key. */
  private keepReachable(): void {
    const tokens = this.list.querySelectorAll<HTMLElement>('.token[tabindex]');
    let reachable: HTMLElement | undefined;
    for (const token of tokens) {
      token.tabIndex = -1;
      if (
        this.active !== undefined &&
        this.listedOf(token) === this.active.listed &&
        Number(token.dataset['token']) === this.active.token
      )
        reachable = token;
    }
    reachable ??= tokens[0];
    if (reachable !== undefined) reachable.tabIndex = 0;
    // Without a token the list itself is scrolled by keys.
    if (reachable === undefined) this.scroller.tabIndex = 0;
    else this.scroller.removeAttribute('tabindex');
  }

  private listedOf(token: Element): ListedRow | undefined {
    const row = token.closest<HTMLElement>('.row');
    return row === null ? undefined : this.found[Number(row.dataset['index'])];
  }

  private onPoint(event: Event): void {
    const token = event.target instanceof Element ? event.target.closest<HTMLElement>('.token') : null;
    const listed = token === null ? undefined : this.listedOf(token);
    if (token === null || listed === undefined) return;
    this.activate(listed, Number(token.dataset['token']));
  }

  private activate(listed: ListedRow, token: number): void {
    if (this.active?.listed === listed && this.active.token === token) return;
    this.active = { listed, token };
    for (const one of this.list.querySelectorAll('.token.active')) one.classList.remove('active');
    const element = this.shown.get(this.found.indexOf(listed));
    for (const one of element?.querySelectorAll(`.token[data-token="${token}"]`) ?? [])
      one.classList.add('active');
    this.detail.show(listed, token, this.run.inspection!.texts, topKOf(this.run));
    this.keepReachable();
  }

  private onKey(event: KeyboardEvent): void {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const token = event.target instanceof Element ? event.target.closest<HTMLElement>('.token') : null;
    const listed = token === null ? undefined : this.listedOf(token);
    if (token === null || listed === undefined) return;
    const at = Number(token.dataset['token']);
    const place = this.found.indexOf(listed);
    const tokens = listed.row.trained.length;
    const moves: Record<string, [row: number, token: number]> = {
      ArrowRight: at + 1 < tokens ? [place, at + 1] : [place + 1, 0],
      ArrowLeft: at > 0 ? [place, at - 1] : [place - 1, Infinity],
      ArrowDown: [place + 1, 0],
      ArrowUp: [place - 1, 0],
      Home: [place, 0],
      End: [place, Infinity],
      n: this.nextWanted(place, at),
    };
    const move = moves[event.key];
    if (move === undefined) return;
    event.preventDefault();
    this.moveTo(...move);
  }

  /** The next token that the filter is for. */
  private nextWanted(place: number, at: number): [row: number, token: number] {
    for (let row = place; row < this.found.length; row++) {
      const listed = this.found[row]!;
      for (let i = row === place ? at + 1 : 0; i < listed.row.trained.length; i++)
        if (isWanted(listed, i, this.filter.tokens)) return [row, i];
    }
    return [place, at];
  }

  private moveTo(place: number, token: number): void {
    const listed = this.found[place];
    if (listed === undefined) return;
    if (!this.shown.has(place)) this.virtual!.scrollToIndex(place, { align: 'auto' });
    requestAnimationFrame(() => {
      if (!this.shown.has(place)) this.render();
      const tokens = this.shown.get(place)?.querySelectorAll<HTMLElement>('.token[tabindex]');
      const element = tokens?.[Math.min(token, tokens.length - 1)];
      element?.focus({ preventScroll: true });
      element?.scrollIntoView({ block: 'nearest' });
    });
  }

  private makeLegend(): void {
    const mark = (name: string, words: string) =>
      h('span', {}, h('span', { class: `token ${name}` }, 'token'), ` ${words}`);
    const topK = topKOf(this.run);
    fill(
      this.legend,
      mark('correct', 'correct: the first choice'),
      // Of equally likely tokens one alone is the first choice.
      (topK > 1 || this.hasTies()) && mark('among', caseName(1, topK)),
      mark('outside', caseName(2, topK)),
      h('span', {}, 'grey: read, not trained'),
    );
  }

  private hasTies(): boolean {
    return this.rows.some(({ before, after }) => (after ?? before)!.outcome.includes(1));
  }

  private makeFilters(): void {
    const set = (change: Partial<Filter>) => {
      this.filter = { ...this.filter, ...change };
      this.refresh();
    };
    const distinct = (of: (listed: ListedRow) => string) => [...new Set(this.rows.map(of))];
    const datasets = distinct(({ row }) => row.dataset);
    const some = (
      name: string,
      label: string,
      options: [string, string][],
      now: string,
      choose: (value: string) => void,
    ) => options.length > 1 && select(name, label, options, now, choose);
    const search = h('input', {
      type: 'search',
      id: 'find-text',
      placeholder: 'text',
      on: { input: () => set({ search: search.value }) },
    });
    fill(
      this.filters,
      this.runs.length > 1 &&
        select(
          'of-run',
          'Run',
          this.runs.map((run, i) => [String(i), run.label]),
          String(this.runs.indexOf(this.run)),
          (value) => this.choose(this.runs[Number(value)]!),
        ),
      select('order', 'First', this.orders(), this.filter.order, (value) => set({ order: value as Order })),
      select('tokens', 'Tokens', this.tokenFilters(), this.filter.tokens, (value) =>
        set({ tokens: value as TokenFilter }),
      ),
      some(
        'dataset',
        'Dataset',
        withAll(datasets.map((name) => [name, oneLine(shortName(name, datasets), 40)])),
        '',
        (value) => set({ dataset: value }),
      ),
      some(
        'style',
        'Style',
        withAll(distinct(({ row }) => row.style).map((name) => [name, name])),
        '',
        (value) => set({ style: value }),
      ),
      some(
        'set',
        'Rows',
        withAll(
          distinct(({ row }) => row.set).map((name) => [name, name === 'eval' ? 'held out' : 'to be kept']),
        ),
        this.filter.set,
        (value) => set({ set: value }),
      ),
      h('span', {}, h('label', { for: 'find-text' }, 'Find\u00a0'), search),
    );
  }

  private orders(): [Order, string][] {
    const one: [Order, string][] = [['worst', 'worst rows']];
    if (this.hasBoth) one.push(['lost', 'most lost'], ['gained', 'most gained']);
    return [...one, ['data', 'as in the data']];
  }

  private tokenFilters(): [TokenFilter, string][] {
    const topK = topKOf(this.run);
    return [
      ['all', 'all'],
      ...(this.hasBoth
        ? ([
            ['changed', 'changed only'],
            ['learned', 'became correct'],
            ['lost', 'no longer correct'],
          ] as [TokenFilter, string][])
        : []),
      ['correct', 'correct'],
      ...(topK > 1 ? ([['among', `among the first ${topK}`]] as [TokenFilter, string][]) : []),
      ['outside', topK > 1 ? `outside the first ${topK}` : 'not the first choice'],
    ];
  }
}

/** With one value there is nothing to choose. */
function withAll(options: [string, string][]): [string, string][] {
  return options.length > 1 ? [['', 'all'], ...options] : [];
}

function select(
  name: string,
  label: string,
  options: [string, string][],
  now: string,
  choose: (value: string) => void,
): HTMLElement {
  const element = h(
    'select',
    { id: `filter-${name}`, on: { change: () => choose(element.value) } },
    options.map(([value, words]) => h('option', { value, selected: value === now }, words)),
  );
  return h('span', {}, h('label', { for: `filter-${name}` }, `${label}\u00a0`), element);
}
