import { open, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { mkdirs } from '../common/mkdirs.js';
import { errorText } from '../common/error-text.js';

/**
 * A file that is appended to in the background. `onFailure` gets the first failure; what comes after it is dropped, and the
 * run goes on.
 */
export class BackgroundFile {
  /** Bytes that are known to be written. */
  written = 0;
  private handle: FileHandle | undefined;
  private queue: Promise<void> = Promise.resolve();
  private state: 'open' | 'failed' | 'closed' = 'open';

  constructor(
    readonly path: string,
    private readonly onFailure: (reason: string) => void,
    /** Called with the file once it is opened, before anything is appended. */
    private readonly onOpen: (handle: FileHandle) => Promise<void> = async () => {},
  ) {}

  /** Appends bytes, or what `prepare` returns once everything before it is written. */
  append(data: Uint8Array | string | (() => Promise<Uint8Array | string>)): void {
    if (this.state === 'open') this.queue = this.queue.then(() => this.write(data));
  }

  /** Resolves once everything appended so far is written. */
  flushed(): Promise<void> {
    return this.queue;
  }

  async close(): Promise<void> {
    if (this.state === 'open') this.state = 'closed';
    await this.queue;
    const { handle } = this;
    this.handle = undefined;
    await handle
      ?.sync()
      .catch((error: unknown) => this.fail(error))
      .finally(() => handle.close())
      .catch((error: unknown) => this.fail(error));
  }

  private async write(data: Uint8Array | string | (() => Promise<Uint8Array | string>)): Promise<void> {
    if (this.state === 'failed') return;
    try {
      const bytes = Buffer.from(typeof data === 'function' ? await data() : data);
      this.handle ??= await this.open();
      await this.handle.appendFile(bytes);
      this.written += bytes.length;
    } catch (error) {
      this.fail(error);
    }
  }

  private async open(): Promise<FileHandle> {
    await mkdirs(dirname(this.path));
    const handle = await open(this.path, 'a+');
    try {
      await this.onOpen(handle);
      return handle;
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  private fail(error: unknown): void {
    if (this.state === 'failed') return;
    this.state = 'failed';
    this.onFailure(errorText(error));
  }
}
