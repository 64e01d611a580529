import { afterEach, expect, it, vi } from 'vitest';
import { RunView } from '../../src/trackers/run-view.js';
import { events } from './terminal/events.js';

afterEach(() => vi.restoreAllMocks());

const fails = () => {
  throw new Error('no');
};
const failsLater = () => Promise.reject(new Error('no'));

it.each([
  ['throws', fails],
  ['rejects', failsLater],
])('names a function of the caller that %s, once for each, and goes on', async (_, failing) => {
  const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  const hooks = { onEvent: failing, onHub: failing, onData: failing, onNote: failing };
  const view = new RunView({ progress: false, ...hooks });
  const heard = vi.fn();
  view.warn('EARLY')('first');
  view.warn('EARLY')('second');
  for (const call of [1, 2]) {
    view.onHub({
      type: 'download',
      repo: 'a/b',
      path: 'f',
      received: call,
      total: 2,
      filesDone: 0,
      files: 1,
    });
    view.onData({ dataset: 'd', rows: call, bytes: 1, totalBytes: 2 } as never);
    view.note('a note');
    heard();
  }
  await new Promise((resolve) => setImmediate(resolve));
  expect(heard).toHaveBeenCalledTimes(2);
  expect(view.warnings).toHaveLength(2);
  const named = warn.mock.calls.map(([message]) => String(message).split(' ')[0]);
  expect(named.sort()).toEqual(['onData', 'onEvent', 'onHub', 'onNote']);
  expect(warn.mock.calls.map(([, options]) => (options as { code: string }).code)).toEqual(
    Array(4).fill('TRACKER_FAILED'),
  );
});

it('calls the function at once, in the order of events', () => {
  const order: string[] = [];
  const view = new RunView({ progress: false, onEvent: ({ type }) => void order.push(type) });
  view.show(events.start);
  view.show(events.end);
  expect(order).toEqual(['start', 'end']);
});
