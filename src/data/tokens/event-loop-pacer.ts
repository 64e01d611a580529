import { setImmediate } from 'node:timers/promises';
import { throwIfAborted } from '../../common/throw-if-aborted.js';

/** Lets timers and I/O of the process run during long synchronous work. */
export class EventLoopPacer {
  private since = performance.now();

  /**
   * @param signal ends the work once it is aborted
   * @param budget milliseconds of work between two breaks
   */
  constructor(
    private readonly signal?: AbortSignal,
    private readonly budget = 20,
  ) {}

  /**
   * Call it often. True, after a break, when the budget was used up; false at once otherwise.
   * @throws AdaptiveTrainerError ABORTED
   */
  async breathe(): Promise<boolean> {
    throwIfAborted(this.signal, 'Stopped while the datasets were read. Nothing was trained.');
    if (performance.now() - this.since < this.budget) return false;
    await setImmediate();
    this.since = performance.now();
    return true;
  }
}
