import type { OnSetupProgress, SetupProgress } from './setup-progress.js';

/** The part of a stream that printing needs. */
export interface PrintTarget {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

// Lines of a log are for reading afterwards; a terminal's bar is for watching.
const logStep = 0.1;
const logBytes = 50e6;
const barEveryMs = 100;

/** Prints setup's progress: a bar that redraws itself on a terminal, a plain line now and then anywhere else. */
export function progressPrinter(out: PrintTarget = process.stderr): OnSetupProgress {
  let message = '';
  let printedAt = 0;
  let printedDone = 0;
  let barShown = false;

  const endBar = (): void => {
    if (barShown) out.write('\n');
    barShown = false;
  };
  return (progress) => {
    if (progress.message !== message) {
      endBar();
      message = progress.message;
      printedDone = 0;
      if (progress.done === undefined || !out.isTTY) out.write(`${message}\n`);
    }
    const { done, total } = progress;
    if (done === undefined) return;
    if (out.isTTY) {
      if (Date.now() - printedAt < barEveryMs && done !== total) return;
      printedAt = Date.now();
      out.write(`\r\u001b[K${bar(progress, out.columns ?? 80)}`);
      barShown = true;
    } else if (done - printedDone >= (total === undefined ? logBytes : Math.max(total * logStep, 1e6))) {
      printedDone = done;
      out.write(`  ${amount(done, total)}\n`);
    }
  };
}

function amount(done: number, total?: number): string {
  const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`;
  if (total === undefined) return megabytes(done);
  return `${megabytes(done)} of ${megabytes(total)} (${Math.floor((100 * done) / total)} %)`;
}

function bar({ message, done = 0, total }: SetupProgress, columns: number): string {
  const width = 24;
  const filled = total ? Math.min(width, Math.round((width * done) / total)) : 0;
  const tail = total
    ? `[${'#'.repeat(filled)}${'-'.repeat(width - filled)}] ${amount(done, total)}`
    : amount(done, total);
  const room = Math.max(0, columns - tail.length - 2);
  const label = message.length > room ? `${message.slice(0, Math.max(0, room - 1))}…` : message;
  return `${label} ${tail}`;
}
