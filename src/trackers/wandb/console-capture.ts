import { stripVTControlCharacters } from 'node:util';

type Stream = 'stdout' | 'stderr';
type Write = NodeJS.WriteStream['write'];

/** What one line may hold; the rest of a longer one is left out. */
const maxLine = 10_000;

/**
 * Tells of each whole line that the process prints while it is in place. Of a line that was redrawn (a progress bar) it
 * tells the last state; colours are left out.
 */
export class ConsoleCapture {
  private readonly rest: Record<Stream, string> = { stdout: '', stderr: '' };
  private readonly originals: Record<Stream, Write>;
  private readonly own: Record<Stream, Write>;

  constructor(private readonly onLine: (stream: Stream, line: string) => void) {
    this.originals = { stdout: process.stdout.write, stderr: process.stderr.write };
    this.own = { stdout: this.replace('stdout'), stderr: this.replace('stderr') };
  }

  close(): void {
    for (const stream of ['stdout', 'stderr'] as const) {
      // Something else may have wrapped it since; it then goes on through a wrapper that tells nothing.
      if (process[stream].write === this.own[stream]) process[stream].write = this.originals[stream];
      if (this.rest[stream] !== '') this.tell(stream, this.rest[stream]);
      this.rest[stream] = '';
    }
    this.isClosed = true;
  }

  private isClosed = false;

  private replace(stream: Stream): Write {
    const original = this.originals[stream];
    const write = ((...args: Parameters<Write>) => {
      this.take(stream, args[0]);
      return original.apply(process[stream], args);
    }) as Write;
    process[stream].write = write;
    return write;
  }

  private take(stream: Stream, chunk: Uint8Array | string): void {
    if (this.isClosed) return;
    const lines = (
      this.rest[stream] + (typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString())
    ).split('\n');
    // The end of a line that is redrawn again and again is all that its last state can need.
    this.rest[stream] = lines.pop()!.slice(-maxLine);
    for (const line of lines) this.tell(stream, line);
  }

  private tell(stream: Stream, line: string): void {
    const text = stripVTControlCharacters(afterRedraw(line)).slice(0, maxLine);
    if (text !== '') this.onLine(stream, text);
  }
}

function afterRedraw(line: string): string {
  return line.replace(/\r$/, '').split('\r').at(-1)!;
}
