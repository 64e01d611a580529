import uPlot from 'uplot';
import type { Column } from '../src/report/run-report.js';
import { color, fill, h } from './dom.js';
import { num, text, type Kind } from './numbers.js';
import { smooth } from './smooth.js';
import type { SharedView, View } from './view.js';

/** A line of a chart. */
export interface Line {
  name: string;
  /** Not falling. */
  x: readonly number[];
  y: Column;
  /** Name of a colour in the style sheet. */
  color: string;
  dash?: number[];
  /** Few values, each of them a dot. */
  hasDots?: boolean;
  /** Each value is a mean over few tokens, and is smoothed as the reader likes. */
  isNoisy?: boolean;
  /** Filled down to the axis. */
  isArea?: boolean;
  /** What is read out, where the line is drawn on top of others. */
  read?: { y: Column; kind: Kind };
}

export interface ChartOptions {
  title: string;
  /** A sentence for those who meet the number for the first time. */
  help?: string;
  kind: Kind;
  lines: (view: View) => Line[];
  /** Least and greatest of the y axis; default: what the values need. */
  range?: [number, number];
  /** Whether the reader's logarithmic scale is for this one. */
  canBeLog?: boolean;
  height?: number;
}

/** A chart with its read-out, by mouse, touch and keyboard. */
export class Chart {
  readonly element: HTMLElement;
  private readonly frame: HTMLElement;
  private readonly readout: HTMLElement;
  private plot: uPlot | undefined;
  private lines: Line[] = [];
  private means: (Column | undefined)[] = [];

  /** @param domain least and greatest place along the axis, the same for all charts */
  constructor(
    private readonly options: ChartOptions,
    private readonly view: SharedView,
    private readonly domain: (view: View) => [number, number],
  ) {
    this.readout = h('ul', { class: 'readout' });
    this.frame = h('div', { class: 'plot', tabindex: 0, role: 'group', on: { keydown: this.onKey } });
    this.element = h(
      'figure',
      { class: 'chart' },
      h(
        'figcaption',
        {},
        h('h3', {}, options.title),
        options.help && h('p', { class: 'help' }, options.help),
      ),
      this.frame,
      this.readout,
    );
    view.follow((_, change) => {
      if (Object.keys(change).join() === 'zoom') this.plot?.setScale('x', scaleOf(this.range));
      else this.draw();
    });
    new ResizeObserver(() => this.fit()).observe(this.frame);
  }

  /** Draws anew, from the data as they are now. */
  draw(): void {
    const view = this.view.value;
    this.lines = this.options.lines(view).filter(({ y }) => y.some((value) => value !== null));
    // What no run tells takes no room.
    this.element.hidden = this.lines.length === 0;
    if (this.frame.clientWidth === 0) return;
    this.means = this.lines.map(({ read, y, isNoisy }) =>
      isNoisy && view.smoothing > 0 ? smooth(read?.y ?? y, view.smoothing) : undefined,
    );
    const drawn = this.lines.flatMap((line) => drawnAs(line, view.smoothing));
    const data = uPlot.join(drawn.map(({ x, y }) => unique(x, y)));
    this.plot?.destroy();
    this.plot = new uPlot(this.plotOptions(drawn, view), data, this.frame);
    this.describe();
    this.read(null);
  }

  /** What is seen of the axis. */
  private get range(): readonly [number, number] {
    return this.view.value.zoom ?? this.domain(this.view.value);
  }

  private fit(): void {
    const width = this.frame.clientWidth;
    if (width === 0) return;
    if (this.plot === undefined) this.draw();
    else if (this.plot.width !== width) this.plot.setSize({ width, height: this.height });
  }

  private get height(): number {
    return this.options.height ?? 190;
  }

  private plotOptions(drawn: Drawn[], view: View): uPlot.Options {
    const { kind, range, canBeLog = false } = this.options;
    const axis = { stroke: color('muted'), font: '11px system-ui, sans-serif', ...lines() };
    const isLog =
      canBeLog && view.isLog && drawn.every(({ y }) => y.every((value) => value === null || value > 0));
    return {
      width: this.frame.clientWidth,
      height: this.height,
      legend: { show: false },
      padding: [8, 16, 0, 0],
      cursor: {
        sync: { key: 'page', setSeries: false },
        drag: { x: true, y: false, setScale: false },
        points: { show: drawn.length < 12, size: 7 },
        bind: { dblclick: () => () => (this.view.set({ zoom: null }), null) },
      },
      scales: {
        x: {
          time: false,
          range: () => [...this.range] as [number, number],
        },
        y: { ...(isLog ? { distr: 3 } : {}), ...(range === undefined ? {} : { range: () => range }) },
      },
      axes: [
        {
          ...axis,
          ...(view.x === 'step' ? { incrs: wholeSteps } : {}),
          size: 26,
          gap: 4,
          values: (_, ticks) => ticks.map((tick) => shortTick(tick)),
        },
        {
          ...axis,
          size: (_plot, values) => 14 + 6.2 * Math.max(0, ...(values ?? []).map((value) => value.length)),
          gap: 4,
          values: (_plot, ticks) => ticks.map((tick) => (tick === null ? '' : yTick(tick, kind))),
        },
      ],
      series: [{}, ...drawn.map(seriesOptions)],
      hooks: {
        setSelect: [(plot) => this.zoomTo(plot)],
        setCursor: [({ cursor }) => this.read(cursor.idx ?? null)],
      },
    };
  }

  private zoomTo(plot: uPlot): void {
    const { left, width } = plot.select;
    if (width < 5) return;
    const zoom = [plot.posToVal(left, 'x'), plot.posToVal(left + width, 'x')] as const;
    this.view.set({ zoom });
  }

  /** Tells the values at a place of the data, or the last ones. */
  private read(index: number | null): void {
    const at = index === null ? undefined : this.plot?.data[0][index];
    const { x } = this.view.value;
    const where = at ?? Math.max(...this.lines.map((line) => line.x.at(-1) ?? 0));
    const entries = this.lines.map((line, i) => {
      const place = placeAt(line.x, where);
      const { y, kind } = line.read ?? { y: line.y, kind: this.options.kind };
      const value = place < 0 ? null : y[place];
      const mean = this.means[i]?.[place];
      return h(
        'li',
        {},
        h('span', {
          class: line.hasDots ? 'swatch dot' : 'swatch',
          css: { background: `var(--${line.color})` },
        }),
        h('span', { class: 'name' }, line.name),
        num(value, kind),
        mean !== undefined && h('span', { class: 'smoothed' }, `≈ ${text(mean, kind)}`),
      );
    });
    fill(
      this.readout,
      h('li', { class: 'where' }, `${x} ${text(where, x === 'step' ? 'whole' : 'plain')}`),
      entries,
    );
  }

  /** What the picture shows, for those who do not see it. */
  private describe(): void {
    const { title, kind } = this.options;
    const parts = this.lines.map((line) => {
      const { y, kind: own } = line.read ?? { y: line.y, kind };
      const values = y.filter((value) => value !== null);
      const ends = `from ${text(values[0], own)} to ${text(values.at(-1), own)}`;
      const bounds = `least ${text(
        values.reduce((a, b) => Math.min(a, b), Infinity),
        own,
      )}, greatest ${text(
        values.reduce((a, b) => Math.max(a, b), -Infinity),
        own,
      )}`;
      return `${line.name}: ${ends}, ${bounds}, ${values.length} values.`;
    });
    const keys = 'Arrow keys read values, plus and minus zoom, Escape shows all.';
    this.frame.setAttribute('aria-label', `Chart of ${title}. ${parts.join(' ')} ${keys}`);
  }

  private readonly onKey = (event: KeyboardEvent): void => {
    const plot = this.plot;
    if (plot === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    const xs = plot.data[0];
    const last = xs.length - 1;
    const at = plot.cursor.idx ?? last;
    const stride = event.shiftKey ? Math.max(1, Math.round(last / 20)) : 1;
    const places: Record<string, number> = {
      ArrowLeft: at - stride,
      ArrowRight: at + stride,
      Home: 0,
      End: last,
    };
    const place = places[event.key];
    if (place !== undefined) this.moveTo(Math.min(last, Math.max(0, place)));
    else if (event.key === '+' || event.key === '=') this.zoomBy(0.5, xs[at]!);
    else if (event.key === '-') this.zoomBy(2, xs[at]!);
    else if (event.key === 'Escape' || event.key === '0') this.view.set({ zoom: null });
    else return;
    event.preventDefault();
  };

  private moveTo(place: number): void {
    const plot = this.plot!;
    const left = plot.valToPos(plot.data[0][place]!, 'x');
    plot.setCursor({ left, top: plot.over.clientHeight / 2 });
    this.readout.setAttribute('aria-live', 'polite');
  }

  private zoomBy(factor: number, around: number): void {
    const { min, max } = this.plot!.scales['x']!;
    const [first, last] = this.domain(this.view.value);
    const half = ((max! - min!) * factor) / 2;
    const zoom = [Math.max(first, around - half), Math.min(last, around + half)] as const;
    this.view.set({ zoom: zoom[1] - zoom[0] >= last - first ? null : zoom });
    const place = this.plot!.valToIdx(around);
    this.moveTo(place);
  }
}

interface Drawn extends Line {
  /** The values as they are, behind their mean. */
  isFaint?: boolean;
}

function drawnAs(line: Line, smoothing: number): Drawn[] {
  if (line.isNoisy !== true || smoothing === 0) return [line];
  const means = { ...line, y: smooth(line.y, smoothing) };
  return line.isArea ? [means] : [{ ...line, isFaint: true }, means];
}

function seriesOptions(line: Drawn): uPlot.Series {
  const stroke = color(line.color);
  return {
    stroke: line.isFaint ? `${stroke}40` : stroke,
    width: line.isFaint ? 1 : line.isArea ? 1 : 1.75,
    ...(line.dash === undefined ? {} : { dash: line.dash }),
    ...(line.isArea ? { fill: color(`${line.color}-area`) } : {}),
    points: line.hasDots ? { show: true, size: 6, fill: stroke } : { show: line.y.length === 1, size: 5 },
    spanGaps: false,
  };
}

/** There is no half step. */
const wholeSteps = Array.from({ length: 9 }, (_, i) => [1, 2, 5].map((one) => one * 10 ** i)).flat();

const lines = () => ({
  grid: { stroke: color('line'), width: 1 },
  ticks: { show: false },
});

/** Values at one place of x: the last of them. */
function unique(x: readonly number[], y: Column): uPlot.AlignedData {
  if (x.every((value, i) => i === 0 || value > x[i - 1]!)) return [x as number[], y];
  const byX = new Map(x.map((value, i) => [value, y[i] ?? null]));
  return [[...byX.keys()], [...byX.values()]];
}

const scaleOf = ([min, max]: readonly [number, number]) => ({ min, max });

/** The place of the last value at or before `where`; the first where there is none. */
function placeAt(x: readonly number[], where: number): number {
  let [low, high] = [0, x.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (x[middle]! <= where) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

function shortTick(tick: number | null): string {
  if (tick === null) return '';
  return Math.abs(tick) >= 10_000
    ? `${Number((tick / 1000).toPrecision(4))}k`
    : String(Number(tick.toPrecision(6)));
}

function yTick(tick: number, kind: Kind): string {
  if (kind === 'share') return `${Math.round(100 * tick)} %`;
  if (kind === 'bytes') return text(tick, 'bytes');
  if (tick !== 0 && (Math.abs(tick) < 0.001 || Math.abs(tick) >= 1e6)) return tick.toExponential(0);
  return shortTick(tick);
}
