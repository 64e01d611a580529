import type { Interval } from '../src/events/token-record.js';
import { h } from './dom.js';
import { num, text, type Kind } from './numbers.js';

/** A number with the ends of its interval. */
export function interval({ value, low, high }: Interval, kind: Kind): HTMLElement {
  return h(
    'span',
    { class: 'interval' },
    num(value, kind),
    h('small', {}, ` ${text(low, kind)} … ${text(high, kind)}`),
  );
}
