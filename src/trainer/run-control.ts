import { AdaptiveTrainerError } from '../errors.js';

interface Work {
  run: () => Promise<void>;
  refuse: (reason: AdaptiveTrainerError) => void;
}

/** What is asked of a run while it goes on. It is done between two steps, so that nothing in the middle of one is moved. */
export class RunControl {
  private isUnderWay = false;
  private paused = false;
  private readonly waiting: Work[] = [];
  private wake: () => void = () => {};

  /** Whether the run waits, or will once the step it is in is done. */
  get isPaused(): boolean {
    return this.paused;
  }

  /** Whether the run has something to do, or to wait for, between this step and the next. */
  get isBusy(): boolean {
    return this.paused || this.waiting.length > 0;
  }

  /** Lets the run wait after the step it is in, with what is due after that step. Holds until `resume`, `stop` or an abort. */
  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    this.wake();
  }

  /**
   * Runs `work` after the step that the run is in, or at once where it waits, and resolves to what that returns. Calls are
   * run one after the other. A callback must not await it: the run waits for the callback.
   * @throws AdaptiveTrainerError INVALID_INPUT where no run is under way, or it ends before
   */
  betweenSteps<T>(work: () => Promise<T>): Promise<T> {
    if (!this.isUnderWay) return Promise.reject(noRun());
    return new Promise<T>((resolve, reject) => {
      this.waiting.push({ run: () => work().then(resolve, reject), refuse: reject });
      this.wake();
    });
  }

  /** @internal Where the run is between two steps: does what was asked for, and waits while it is paused. */
  async pass(signal: AbortSignal | undefined): Promise<void> {
    for (;;) {
      for (let next = this.waiting.shift(); next !== undefined; next = this.waiting.shift()) await next.run();
      if (!this.paused || signal?.aborted) return;
      await this.woken(signal);
    }
  }

  /** @internal */
  begin(): void {
    this.isUnderWay = true;
  }

  /** @internal Refuses what was not done. The next run is not paused. */
  end(): void {
    this.isUnderWay = false;
    this.paused = false;
    for (const { refuse } of this.waiting.splice(0)) refuse(noRun());
  }

  private async woken(signal: AbortSignal | undefined): Promise<void> {
    const listening = new AbortController();
    // A process that nothing else keeps would end here, as if the run had.
    const alive = setInterval(() => {}, 2 ** 30);
    await new Promise<void>((resolve) => {
      this.wake = resolve;
      signal?.addEventListener('abort', () => resolve(), { signal: listening.signal });
    });
    clearInterval(alive);
    listening.abort();
    this.wake = () => {};
  }
}

function noRun(): AdaptiveTrainerError {
  const message = 'Expected a run that is under way, found none: it has not begun, or it has ended.';
  return new AdaptiveTrainerError('INVALID_INPUT', message);
}
