import pc from 'picocolors';

/** The part of a stream that printing needs. */
export interface PrintTarget {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const eraseLine = '\r\u001b[2K';

/** The last line of a terminal, which is drawn again and again; other text goes above it. Elsewhere nothing is drawn. */
export class LiveLine {
  /** Whether the stream is a terminal that can redraw a line. */
  readonly isLive: boolean;
  /** Empty functions where NO_COLOR is set or nothing is drawn. */
  readonly colors: ReturnType<typeof pc.createColors>;
  private isDrawn = false;

  constructor(
    private readonly stream: PrintTarget,
    env: NodeJS.ProcessEnv = process.env,
  ) {
    this.isLive = stream.isTTY === true && env['TERM'] !== 'dumb';
    this.colors = pc.createColors(this.isLive && !env['NO_COLOR']);
  }

  /** Columns that a line may take. The last one stays empty: a terminal wraps when it is written to. */
  get width(): number {
    return Math.max(1, (this.stream.columns ?? 80) - 1);
  }

  /** Draws the line, in place of what it was. */
  draw(text: string): void {
    if (!this.isLive) return;
    this.stream.write(eraseLine + text);
    this.isDrawn = true;
  }

  /** Prints text that stays, in place of the line. */
  print(text: string): void {
    this.clear();
    this.stream.write(`${text}\n`);
  }

  /** Takes the line away. */
  clear(): void {
    if (this.isDrawn) this.stream.write(eraseLine);
    this.isDrawn = false;
  }

  /** Leaves the line as it last was and moves below it. */
  leave(): void {
    if (this.isDrawn) this.stream.write('\n');
    this.isDrawn = false;
  }

  /** A bar of `size` columns, `done` (0 to 1) of it filled. */
  bar(done: number, size: number): string {
    const filled = Math.min(size, Math.max(0, Math.round(size * done)));
    return this.colors.green('━'.repeat(filled)) + this.colors.dim('━'.repeat(size - filled));
  }
}
