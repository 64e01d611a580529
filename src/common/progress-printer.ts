import { LiveLine, type PrintTarget } from './live-line.js';
import type { OnSetupProgress } from './setup-progress.js';

// Lines of a log are for reading afterwards; a terminal's bar is for watching.
const logStep = 0.1;
const logBytes = 50e6;
const barEveryMs = 100;
const barWidth = 24;

/** Prints the progress of a transfer: a bar that redraws itself on a terminal, a plain line now and then anywhere else. */
export function progressPrinter(out: PrintTarget = process.stderr): OnSetupProgress {
  const line = new LiveLine(out);
  let message = '';
  let printedAt = 0;
  let printedDone = 0;
  return (progress) => {
    const { done, total } = progress;
    if (progress.message !== message) {
      line.leave();
      message = progress.message;
      printedDone = 0;
      if (done === undefined || !line.isLive) line.print(message);
    }
    if (done === undefined) return;
    if (line.isLive) {
      if (Date.now() - printedAt < barEveryMs && done !== total) return;
      printedAt = Date.now();
      const bar = total ? `${line.bar(done / total, barWidth)} ` : '';
      const tail = ` ${amount(done, total)}`;
      const room = Math.max(0, line.width - tail.length - (total ? barWidth + 1 : 0));
      line.draw(bar + shortened(message, room) + tail);
    } else if (done - printedDone >= (total === undefined ? logBytes : Math.max(total * logStep, 1e6))) {
      printedDone = done;
      line.print(`  ${amount(done, total)}`);
    }
  };
}

function amount(done: number, total?: number): string {
  const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`;
  if (total === undefined) return megabytes(done);
  return `${megabytes(done)} of ${megabytes(total)} (${Math.floor((100 * done) / total)} %)`;
}

function shortened(text: string, room: number): string {
  return text.length > room ? `${text.slice(0, Math.max(0, room - 1))}…` : text;
}
