import type { HubEvent } from '../../events/hub-event.js';
import type { PrintTarget } from '../../common/live-line.js';
import { progressPrinter } from '../../common/progress-printer.js';

/** Prints downloads and uploads: a bar on a terminal, a plain line now and then anywhere else. */
export function hubPrinter(out: PrintTarget = process.stderr): (event: HubEvent) => void {
  const print = progressPrinter(out);
  let last = '';
  return (event) => {
    if (event.type === 'download') {
      const message = `Fetching ${event.repo} (${event.files} ${event.files === 1 ? 'file' : 'files'})`;
      const { received: done, total } = event;
      print({ phase: 'fetch', message, done, total });
    } else if (event.type === 'upload') {
      // Files go side by side and only shares are known, so a line says what is under way.
      const line = `${event.state === 'hashing' ? 'Reading' : 'Uploading'} ${event.path} to ${event.repo}`;
      if (line !== last) print({ phase: 'fetch', message: line });
      last = line;
    } else print({ phase: 'done', message: `Uploaded to ${event.url} (commit ${event.commit.slice(0, 8)})` });
  };
}
