import { format } from '../src/common/format.js';
import { h } from './dom.js';

type Number = number | null | undefined;

/** How a kind of number is written; the page has the exact value beside it. */
export const written = {
  count: format.count,
  loss: (value: number) => fixed(value),
  rate: format.rate,
  bytes: format.bytes,
  duration: format.duration,
  share: (value: number) => `${(100 * value).toFixed(1)} %`,
  plain: (value: number) => String(Number(value.toPrecision(4))),
  whole: (value: number) => value.toLocaleString('en-US', { maximumFractionDigits: 0 }),
  change: (value: number) => signed(value, fixed),
  points: (value: number) => signed(value, (size) => `${(100 * size).toFixed(1)} pt`),
} as const;

export type Kind = keyof typeof written;

/** Three decimals line up in a column; what is large or tiny gets four digits. */
function fixed(value: number): string {
  const size = Math.abs(value);
  if (size !== 0 && size < 0.001) return value.toExponential(1);
  if (size >= 1e6) return value.toExponential(2);
  return size >= 1000 ? value.toFixed(0) : size >= 100 ? value.toFixed(1) : value.toFixed(3);
}

function signed(value: number, write: (size: number) => string): string {
  const text = write(Math.abs(value));
  if (!/[1-9]/.test(text)) return text;
  return `${value < 0 ? '−' : '+'}${text}`;
}

/** A number as text; `–` where there is none. */
export function text(value: Number, kind: Kind): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–';
  return written[kind](value);
}

/** A number on the page. Its element holds the exact value, which pointing at it shows. */
export function num(value: Number, kind: Kind): HTMLElement {
  if (value === null || value === undefined || !Number.isFinite(value))
    return h('span', { class: 'none' }, '–');
  return h('data', { value, title: String(value) }, text(value, kind));
}
