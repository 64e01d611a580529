import type { TraceSpan } from '../../engine/addon.js';

/** What one rank traced. */
export interface RankSpans {
  rank: number;
  host: string;
  pid: number;
  spans: TraceSpan[];
}

/** An event of the Chrome trace-event format: ts and dur in microseconds. */
export interface TraceEvent {
  name: string;
  cat?: string;
  ph: 'X' | 'M' | 'b' | 'e';
  ts?: number;
  dur?: number;
  pid: number;
  tid: number;
  id?: string;
  args?: Record<string, unknown>;
}

/** As Perfetto (ui.perfetto.dev) and chrome://tracing open it. */
export interface TraceFile {
  displayTimeUnit: 'ms';
  /** Of each rank, in order: see hiddenShare. */
  otherData: { hiddenShare: (number | null)[] };
  traceEvents: TraceEvent[];
}

/**
 * Each rank becomes a process with a line of its passes and their blocks, and one of each sum, which may overlap. Times count
 * from the first event.
 */
export function traceEvents(ranks: readonly RankSpans[]): TraceFile {
  const first = Math.min(...ranks.flatMap(({ spans }) => spans.map(({ start }) => start)));
  const events = ranks.flatMap(({ rank, host, pid, spans }) => {
    const of = { pid: rank, tid: rank };
    const named: TraceEvent[] = [
      { ...of, name: 'process_name', ph: 'M', args: { name: `rank ${rank} (${host}, process ${pid})` } },
      { ...of, name: 'process_sort_index', ph: 'M', args: { sort_index: rank } },
      { ...of, name: 'thread_name', ph: 'M', args: { name: 'engine' } },
    ];
    const traced = spans.flatMap((span, i): TraceEvent[] => {
      const { name, category: cat, start, end, layer, bytes } = span;
      const ts = start - first;
      if (cat !== 'sum') return [{ ...of, name, cat, ph: 'X', ts, dur: end - start, args: { layer } }];
      const sum = { ...of, name: sumName(span, spans), cat, id: `${rank}.${i}` };
      return [
        { ...sum, ph: 'b', ts, args: { layer, bytes } },
        { ...sum, ph: 'e', ts: end - first },
      ];
    });
    return [...named, ...traced];
  });
  const hidden = ranks.map(({ spans }) => hiddenShare(spans) ?? null);
  return { displayTimeUnit: 'ms', otherData: { hiddenShare: hidden }, traceEvents: events };
}

/**
 * Of the time in which gradients are summed, the share in which backward goes on: 1 where all of it is hidden. A moment in which
 * several sums are under way counts once.
 * @returns undefined where no gradients were summed
 */
export function hiddenShare(spans: readonly TraceSpan[]): number | undefined {
  const backward = spans.filter(({ name }) => name === 'backward');
  let [all, hidden] = [0, 0];
  let until = -Infinity;
  for (const { start, end } of gradientSums(spans)) {
    const from = Math.max(start, until);
    until = Math.max(until, end);
    if (from >= end) continue;
    all += end - from;
    for (const pass of backward) hidden += Math.max(0, Math.min(end, pass.end) - Math.max(from, pass.start));
  }
  return all === 0 ? undefined : hidden / all;
}

/** In order of their start. */
export function gradientSums(spans: readonly TraceSpan[]): TraceSpan[] {
  return spans.filter(({ category, layer }) => category === 'sum' && layer > -2);
}

function sumName({ layer, bytes }: TraceSpan, spans: readonly TraceSpan[]): string {
  if (layer === -2) return `sum of ${bytes / 8} numbers`;
  const of = spans.find((one) => one.category === 'block' && one.layer === layer)?.name ?? 'gradients';
  return `sum of ${of}`;
}
