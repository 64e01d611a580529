import { h } from './dom.js';
import type { SharedView, XAxis } from './view.js';

/** Smoothing, the axis, the scale and the way back from a zoom, for all charts. */
export function controls(view: SharedView, axes: readonly XAxis[]): HTMLElement {
  const shown = h('output', { for: 'smoothing' }, view.value.smoothing.toFixed(2));
  const smoothing = h('input', {
    ...{ type: 'range', id: 'smoothing', min: 0, max: 0.99, step: 0.01, value: view.value.smoothing },
    on: {
      input: () => {
        shown.textContent = Number(smoothing.value).toFixed(2);
        view.set({ smoothing: Number(smoothing.value) });
      },
    },
  });
  const axis = h(
    'select',
    { id: 'x-axis', on: { change: () => view.set({ x: axis.value as XAxis, zoom: null }) } },
    axes.map((name) => h('option', { value: name, selected: name === view.value.x }, name)),
  );
  const isLog = h('input', {
    type: 'checkbox',
    id: 'log-scale',
    on: { change: () => view.set({ isLog: isLog.checked }) },
  });
  const reset = h(
    'button',
    { type: 'button', disabled: true, on: { click: () => view.set({ zoom: null }) } },
    'Show all',
  );
  view.follow(({ zoom }) => (reset.disabled = zoom === null));
  return h(
    'div',
    { class: 'controls', role: 'group', 'aria-label': 'How the charts are drawn' },
    h('label', { for: 'smoothing' }, 'Smoothing'),
    smoothing,
    shown,
    h('label', { for: 'x-axis' }, 'Along'),
    axis,
    h('label', { for: 'log-scale' }, isLog, 'log scale'),
    reset,
    h('span', { class: 'hint' }, 'Drag to zoom, double-click to go back.'),
  );
}
