import { mkdir, open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { redactSecrets } from '../common/redact-secrets.js';
import type { Tracker } from '../events/tracker.js';
import type { StartEvent, TrainingEvent, WarningEvent } from '../events/training-event.js';
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
  private readonly onWarning: (warning: WarningEvent) => void;
  private handle: FileHandle | undefined;
  private queue: Promise<void> = Promise.resolve();
  private state: 'open' | 'failed' | 'closed' = 'open';
  private run: string | undefined;
  /** What came before the start, which alone tells the run. */
  private early: Line[] | undefined = [];

  constructor(
    private readonly outputDir: string,
    options: JsonlTrackerOptions = {},
  ) {
    this.file = path.join(outputDir, 'metrics.jsonl');
    this.onWarning = options.onWarning ?? (({ message, code }) => process.emitWarning(message, { code }));
  }

  onEvent(event: TrainingEvent): void {
    if (this.state !== 'open') return;
    if (event.type === 'start') this.begin(event);
    // A run that was refused leaves no trace in the folder of another.
    if (event.type === 'error' && (event.code === 'OUTPUT_DIR_USED' || event.code === 'OUTPUT_DIR_BUSY')) {
      this.state = 'closed';
      return;
    }
    // Turned into text here, since the event may change before the line is written.
    const line = { time: new Date().toISOString(), rest: JSON.stringify(event).slice(1) };
    if (this.early === undefined) this.append(line);
    else this.early.push(line);
    if (event.type === 'start') this.flushEarly();
  }

  async close(): Promise<void> {
    if (this.state === 'open') this.flushEarly();
    if (this.state === 'open') this.state = 'closed';
    await this.queue;
    const handle = this.handle;
    this.handle = undefined;
    if (handle === undefined) return;
    try {
      await handle.sync();
    } catch (error) {
      this.fail(error);
    } finally {
      await handle.close().catch((error: unknown) => this.fail(error));
    }
  }

  private begin({ runId, resumedFrom }: StartEvent): void {
    this.run = runId;
    if (resumedFrom === undefined || resumedFrom.runId !== runId) return;
    const { step } = resumedFrom;
    this.queue = this.queue.then(() => this.attempt(() => dropRepeated(this.file, runId, step)));
  }

  private flushEarly(): void {
    const lines = this.early ?? [];
    this.early = undefined;
    for (const line of lines) this.append(line);
  }

  private append({ time, rest }: Line): void {
    const head = JSON.stringify({ time, run: this.run }).slice(0, -1);
    const line = redactSecrets(`${head},${rest}\n`);
    this.queue = this.queue.then(() =>
      this.attempt(async () => {
        this.handle ??= await openWholeLines(this.outputDir, this.file);
        await this.handle.appendFile(line);
      }),
    );
  }

  private async attempt(write: () => Promise<void>): Promise<void> {
    if (this.state === 'failed') return;
    try {
      await write();
    } catch (error) {
      this.fail(error);
    }
  }

  private fail(error: unknown): void {
    if (this.state === 'failed') return;
    this.state = 'failed';
    const reason = error instanceof Error ? error.message : String(error);
    this.onWarning({
      type: 'warning',
      code: 'METRICS_NOT_WRITTEN',
      message: `Expected to write metrics to ${this.file}, but it failed: ${reason}. Training goes on without them.`,
    });
  }
}

interface Line {
  time: string;
  /** The event's JSON without its opening brace. */
  rest: string;
}

async function openWholeLines(outputDir: string, file: string): Promise<FileHandle> {
  await mkdir(outputDir, { recursive: true });
  const handle = await open(file, 'a+');
  try {
    const { size } = await handle.stat();
    const end = await endOfLastLine(handle, size);
    // An earlier run that was killed may have left half a line, which no reader can use.
    if (end < size) await handle.truncate(end);
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Behind the last line break of a file; 0 where it has none. */
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
