import { basename } from 'node:path';
import pc from 'picocolors';
import type { MixProgress } from '../../events/dataset-report.js';
import { format } from '../../common/format.js';

/** Where it is printed to. */
export interface DataPrinterOptions {
  /** Default: standard error. */
  stream?: NodeJS.WritableStream & { isTTY?: boolean; columns?: number };
  /** Milliseconds between two lines where the stream is no terminal, and before the first. Default 10,000. */
  interval?: number;
  env?: NodeJS.ProcessEnv;
  now?: () => number;
}

const eraseLine = '\r\u001b[2K';
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
  const live = stream.isTTY === true && env['TERM'] !== 'dumb';
  const colors = pc.createColors(live && !env['NO_COLOR']);
  let last = now() + (live ? patience - redraw : 0);
  let isDrawn = false;
  return {
    onProgress(progress) {
      const at = now();
      if (at - last < (live ? redraw : interval)) return;
      last = at;
      if (!live) return void stream.write(`${words(progress)}\n`);
      const filled = Math.round(barWidth * progress.done);
      const bar = colors.green('━'.repeat(filled)) + colors.dim('━'.repeat(barWidth - filled));
      const room = Math.max(0, (stream.columns ?? 80) - barWidth - 2);
      stream.write(`${eraseLine}${bar} ${words(progress).slice(0, room)}`);
      isDrawn = true;
    },
    clear() {
      if (isDrawn) stream.write(eraseLine);
      isDrawn = false;
    },
  };
}

function words({ dataset, split, rows, done }: MixProgress): string {
  const part = split === 'eval' ? ', validation' : '';
  return `tokenizing ${basename(dataset)}${part}: ${format.count(rows)} rows, ${format.share(done, 1)}`;
}
