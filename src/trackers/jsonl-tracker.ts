import { mkdir, open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { redactSecrets } from '../common/redact-secrets.js';
import type { Tracker } from '../events/tracker.js';
import type { TrainingEvent, WarningEvent } from '../events/training-event.js';

/** How a `JsonlTracker` tells of a file it cannot write. */
export interface JsonlTrackerOptions {
  /** Called once, with the first failure; nothing is written after it. Default: a process warning. */
  onWarning?: (warning: WarningEvent) => void;
}

/**
 * Appends every event to `<outputDir>/metrics.jsonl`, one JSON object a line with the time it came (`time`, ISO 8601)
 * first. Numbers that JSON lacks (NaN, Infinity) are written as null, access tokens as `[redacted]`. Writing happens
 * in the background and never holds up or ends a run; `close` waits for it.
 */
export class JsonlTracker implements Tracker {
  readonly file: string;
  private readonly onWarning: (warning: WarningEvent) => void;
  private handle: FileHandle | undefined;
  private queue: Promise<void> = Promise.resolve();
  private state: 'open' | 'failed' | 'closed' = 'open';

  constructor(
    private readonly outputDir: string,
    options: JsonlTrackerOptions = {},
  ) {
    this.file = path.join(outputDir, 'metrics.jsonl');
    this.onWarning = options.onWarning ?? (({ message, code }) => process.emitWarning(message, { code }));
  }

  onEvent(event: TrainingEvent): void {
    if (this.state !== 'open') return;
    // Turned into text here, since the event may change before the line is written.
    const line = `${redactSecrets(JSON.stringify({ time: new Date().toISOString(), ...event }))}\n`;
    this.queue = this.queue.then(() => this.write(line));
  }

  async close(): Promise<void> {
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

  private async write(line: string): Promise<void> {
    if (this.state === 'failed') return;
    try {
      this.handle ??= await openAtLineStart(this.outputDir, this.file);
      await this.handle.appendFile(line);
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

async function openAtLineStart(outputDir: string, file: string): Promise<FileHandle> {
  await mkdir(outputDir, { recursive: true });
  const handle = await open(file, 'a+');
  try {
    const { size } = await handle.stat();
    if (size === 0) return handle;
    // An earlier run that was killed may have left half a line; the next one must not be glued to it.
    const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, size - 1);
    if (buffer.toString() !== '\n') await handle.appendFile('\n');
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}
