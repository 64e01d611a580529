import { h } from './dom.js';
import { num, text } from './numbers.js';

/** Shares of tokens, adding up to 1. */
export interface Shares {
  correct: number;
  /** Among the first k, but not first. */
  among: number;
  outside: number;
}

/** The shares as a bar. */
export function bar({ correct, among, outside }: Shares): HTMLElement {
  const part = (name: string, share: number) =>
    h('span', { class: `part ${name}`, css: { width: `${100 * Math.max(0, share)}%` } });
  const label = `${text(correct, 'share')} correct, ${text(among, 'share')} among the first, ${text(outside, 'share')} outside`;
  return h(
    'span',
    { class: 'bar', role: 'img', 'aria-label': label },
    part('correct', correct),
    part('among', among),
    part('outside', outside),
  );
}

/** `2.310 → 1.472`, or the one number that there is. */
export function fromTo(
  before: number | null | undefined,
  after: number | null | undefined,
  kind: Parameters<typeof num>[1],
): HTMLElement {
  if (before === undefined || before === null) return h('span', { class: 'from-to' }, num(after, kind));
  return h(
    'span',
    { class: 'from-to' },
    num(before, kind),
    h(
      'span',
      { class: 'arrow' },
      h('span', { class: 'unseen' }, ' to '),
      h('span', { 'aria-hidden': 'true' }, ' → '),
    ),
    num(after, kind),
  );
}
