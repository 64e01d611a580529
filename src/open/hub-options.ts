import { atMostEvery } from '../common/at-most-every.js';
import type { HubProgress } from '../events/hub-progress.js';
import type { RunView } from '../trackers/run-view.js';

/** What downloads are given, so that the view tells of them. */
export function hubOptions(view: RunView, signal: AbortSignal | undefined) {
  const onProgress = atMostEvery<HubProgress>(
    250,
    (progress) => view.onHub({ type: 'download', ...progress }),
    ({ received, total }) => received === total,
  );
  return { onProgress, onWarning: view.warn('HUB'), signal };
}
