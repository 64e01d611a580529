import type { FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { redactSecrets } from '../common/redact-secrets.js';
import type { Tracker } from '../events/tracker.js';
import type { StartEvent, TrainingEvent, WarningEvent } from '../events/training-event.js';
import { BackgroundFile } from './background-file.js';
import { dropRepeated } from './drop-repeated.js';

/** How a `JsonlTracker` tells of a file it cannot write. */
export interface JsonlTrackerOptions {
  /** Called once, with the first failure; nothing is written after it. Default: a process warning. */
  onWarning?: (warning: WarningEvent) => void;
}

/**
 * Appends every event to `<outputDir>/metrics.jsonl`, one JSON object a line with the time it came (`time`, ISO 8601) and
 * the run it belongs to (`run`) first. A run that is resumed goes on after the checkpoint: what it will do again is taken
 * out, so that no step of a run is there twice. Numbers that JSON lacks (NaN, Infinity) are written as null, access tokens as
 * `[redacted]`. Writing happens in the background and never holds up or ends a run; `close` waits for it.
 */
export class JsonlTracker implements Tracker {
  readonly file: string;
  private readonly lines: BackgroundFile;
  private run: string | undefined;
  private isRefused = false;
  /** What came before the start, which alone tells the run. */
  private early: Line[] | undefined = [];

  constructor(
    outputDir: string,
    { onWarning = ({ message, code }) => process.emitWarning(message, { code }) }: JsonlTrackerOptions = {},
  ) {
    this.file = path.join(outputDir, 'metrics.jsonl');
    const onFailure = (reason: string) =>
      onWarning({
        type: 'warning',
        code: 'METRICS_NOT_WRITTEN',
        message: `Expected to write metrics to ${this.file}, but it failed: ${reason}. Training goes on without them.`,
      });
    this.lines = new BackgroundFile(this.file, onFailure, cutHalfLine);
  }

  onEvent(event: TrainingEvent): void {
    // A run that was refused leaves no trace in the folder of another.
    if (event.type === 'error' && (event.code === 'OUTPUT_DIR_USED' || event.code === 'OUTPUT_DIR_BUSY')) {
      this.isRefused = true;
      this.early = undefined;
    }
    if (this.isRefused) return;
    if (event.type === 'start') this.begin(event);
    // Turned into text here, since the event may change before the line is written.
    const line = { time: new Date().toISOString(), rest: JSON.stringify(event).slice(1) };
    if (this.early === undefined) this.append(line);
    else this.early.push(line);
    if (event.type === 'start') this.flushEarly();
  }

  async close(): Promise<void> {
    this.flushEarly();
    await this.lines.close();
  }

  private begin({ runId, resumedFrom }: StartEvent): void {
    this.run = runId;
    if (resumedFrom === undefined || resumedFrom.runId !== runId) return;
    const { step } = resumedFrom;
    this.lines.append(async () => {
      await dropRepeated(this.file, runId, step);
      return '';
    });
  }

  private flushEarly(): void {
    const lines = this.early ?? [];
    this.early = undefined;
    for (const line of lines) this.append(line);
  }

  private append({ time, rest }: Line): void {
    const head = JSON.stringify({ time, run: this.run }).slice(0, -1);
    this.lines.append(redactSecrets(`${head},${rest}\n`));
  }
}

interface Line {
  time: string;
  /** The event's JSON without its opening brace. */
  rest: string;
}

/** Cuts off half a line that a run which was killed left at the end: no reader can use it. */
async function cutHalfLine(handle: FileHandle): Promise<void> {
  const { size } = await handle.stat();
  const end = await endOfLastLine(handle, size);
  if (end < size) await handle.truncate(end);
}

/** Returns the position after the last line break of a file; 0 where it has none. */
async function endOfLastLine(handle: FileHandle, size: number): Promise<number> {
  const chunk = Buffer.alloc(65_536);
  for (let end = size; end > 0; end -= chunk.length) {
    const start = Math.max(0, end - chunk.length);
    const { bytesRead } = await handle.read(chunk, 0, end - start, start);
    const at = chunk.subarray(0, bytesRead).lastIndexOf(0x0a);
    if (at >= 0) return start + at + 1;
  }
  return 0;
}
