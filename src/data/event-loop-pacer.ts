import { setImmediate } from 'node:timers/promises';

/** Lets timers and I/O of the process run during long synchronous work. */
export class EventLoopPacer {
  private since = performance.now();

  /** @param budget milliseconds of work between two breaks */
  constructor(private readonly budget = 20) {}

  /** Call it often. True, after a break, when the budget was used up; false at once otherwise. */
  async breathe(): Promise<boolean> {
    if (performance.now() - this.since < this.budget) return false;
    await setImmediate();
    this.since = performance.now();
    return true;
  }
}
