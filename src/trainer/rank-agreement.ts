import type { Ranks } from '../ranks/ranks.js';
import type { RunControl } from './run-control.js';
import type { RunProgress } from './run-progress.js';

/** What the ranks of a run were asked for: it holds for all once they have told each other. */
export class RankAgreement {
  private isStopAsked = false;
  private isAborted = false;

  constructor(
    private readonly ranks: Ranks,
    private readonly control: RunControl,
    private readonly signal: AbortSignal | undefined,
  ) {}

  /** Whether the run is to end with ABORTED. */
  get aborted(): boolean {
    return this.ranks.size > 1 ? this.isAborted : this.signal?.aborted === true;
  }

  /** Ends the run after the step it is in: of several ranks, at all of them. */
  stop(progress: RunProgress): void {
    if (this.ranks.size > 1) this.isStopAsked = true;
    else progress.stop();
  }

  /** Tells the other ranks what this one was asked for, and does what any was. */
  async agree(progress: RunProgress): Promise<{ isBusy: boolean }> {
    const { ranks, control, signal } = this;
    if (ranks.size === 1) return { isBusy: true };
    const asked = [signal?.aborted === true, this.isStopAsked, control.isBusy];
    const [aborted, stopped, busy] = await ranks.sum(asked.map(Number));
    this.isAborted = aborted! > 0;
    if (stopped! > 0) progress.stop();
    return { isBusy: busy! > 0 };
  }

  /**
   * Does what was asked for between two steps.
   * @param around is called at all ranks with what does it
   */
  async passControl(
    progress: RunProgress,
    around: (work: () => Promise<void>) => Promise<void>,
  ): Promise<void> {
    const { isBusy } = await this.agree(progress);
    if (!isBusy) return;
    await around(() => this.ranks.together(() => this.control.pass(this.signal)));
    await this.agree(progress);
  }
}
