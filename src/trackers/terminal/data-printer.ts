import { basename } from 'node:path';
import { LiveLine, type PrintTarget } from '../../common/live-line.js';
import type { MixProgress } from '../../events/dataset-report.js';
import { format } from '../../common/format.js';

/** Where it is printed to. */
export interface DataPrinterOptions {
  /** Default: standard error. */
  stream?: PrintTarget;
  /** Milliseconds between two lines where the stream is no terminal, and before the first. Default 10,000. */
  interval?: number;
  env?: NodeJS.ProcessEnv;
  now?: () => number;
}

const barWidth = 24;
const redraw = 80; // milliseconds
const patience = 300; // milliseconds of work that are not worth a line

/**
 * Shows how far the reading and tokenizing of datasets is: one live line on a terminal, which is gone when the work is
 * done; elsewhere a plain line now and then.
 */
export function dataPrinter({
  stream = process.stderr,
  interval = 10_000,
  env = process.env,
  now = () => performance.now(),
}: DataPrinterOptions = {}): { onProgress: (progress: MixProgress) => void; clear: () => void } {
  const line = new LiveLine(stream, env);
  let last = now() + (line.isLive ? patience - redraw : 0);
  return {
    onProgress(progress) {
      const at = now();
      if (at - last < (line.isLive ? redraw : interval)) return;
      last = at;
      if (!line.isLive) return line.print(words(progress));
      const room = Math.max(0, line.width - barWidth - 1);
      line.draw(`${line.bar(progress.done, barWidth)} ${words(progress).slice(0, room)}`);
    },
    clear: () => line.clear(),
  };
}

function words({ dataset, split, rows, done }: MixProgress): string {
  const part = split === 'eval' ? ', validation' : '';
  return `tokenizing ${basename(dataset)}${part}: ${format.count(rows)} rows, ${format.share(done, 1)}`;
}
