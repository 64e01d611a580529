import { errorText } from '../common/error-text.js';
import type { Tracker } from '../events/tracker.js';
import type { TrainingEvent, WarningEvent } from '../events/training-event.js';
import { hookName, type RunningTrainer, type TrainerCallback } from './trainer-callback.js';

type Hook = (event: TrainingEvent, trainer: RunningTrainer) => void | Promise<void>;

/** The callbacks and trackers of a trainer. An error of one becomes a warning that names it, once for each. */
export class Listeners {
  private open: readonly Tracker[];
  private readonly warned = new Set<unknown>();

  constructor(
    private readonly callbacks: readonly TrainerCallback[],
    private readonly trackers: readonly Tracker[],
  ) {
    this.open = trackers;
  }

  /** Calls the callbacks, then, with `tracks`, the trackers. Returns a warning for each that failed for the first time. */
  async tell(event: TrainingEvent, trainer: RunningTrainer, tracks: boolean): Promise<WarningEvent[]> {
    const warnings: WarningEvent[] = [];
    const hook = hookName(event.type);
    for (const callback of this.callbacks) {
      const call = async () => (callback[hook] as Hook | undefined)?.call(callback, event, trainer);
      warnings.push(...(await this.attempt(callback, hook, call)));
    }
    for (const tracker of tracks ? this.open : []) {
      warnings.push(
        ...(await this.attempt(tracker, `onEvent of ${event.type}`, async () => tracker.onEvent(event))),
      );
    }
    return warnings;
  }

  /** Closes every tracker. `warn` gets a warning for each that fails, while those after it are still open. */
  async close(warn: (warning: WarningEvent) => Promise<void>): Promise<void> {
    for (const [i, tracker] of this.trackers.entries()) {
      this.open = this.trackers.slice(i + 1);
      this.warned.delete(tracker); // a failure of close() is not one of onEvent()
      for (const warning of await this.attempt(tracker, 'close', async () => tracker.close()))
        await warn(warning);
    }
    this.open = this.trackers;
    this.warned.clear();
  }

  private async attempt(
    listener: TrainerCallback | Tracker,
    what: string,
    call: () => Promise<void>,
  ): Promise<WarningEvent[]> {
    try {
      await call();
      return [];
    } catch (error) {
      if (this.warned.has(listener)) return [];
      this.warned.add(listener);
      const warning = this.warningOf(listener, what, error);
      if (!this.isHeard(listener)) process.emitWarning(warning.message, { code: warning.code });
      return [warning];
    }
  }

  private warningOf(listener: TrainerCallback | Tracker, what: string, error: unknown): WarningEvent {
    const place = this.callbacks.indexOf(listener as TrainerCallback);
    const isCallback = place >= 0;
    const name = isCallback
      ? nameOf(listener, `Callback ${place + 1} of ${this.callbacks.length}`)
      : nameOf(
          listener,
          `Tracker ${this.trackers.indexOf(listener as Tracker) + 1} of ${this.trackers.length}`,
        );
    const end = isCallback
      ? ' It is called as before, and not warned of again; trainer.stop() is what ends a run.'
      : ' It gets later events as before, and is not warned of again.';
    return {
      type: 'warning',
      code: isCallback ? 'CALLBACK_FAILED' : 'TRACKER_FAILED',
      message: `${name} failed in ${what}: ${errorText(error)}. The run goes on without it.${what === 'close' ? '' : end}`,
    };
  }

  /** Whether a callback or tracker other than `failed` gets warnings. */
  private isHeard(failed: unknown): boolean {
    const callbacks = this.callbacks.filter((callback) => callback !== failed && callback?.onWarning);
    return callbacks.length > 0 || this.open.some((tracker) => tracker !== failed);
  }
}

/** Its `name`, or that of its class; `otherwise` for an object without either. */
function nameOf(listener: TrainerCallback | Tracker | null | undefined, otherwise: string): string {
  if (typeof listener?.name === 'string' && listener.name !== '') return listener.name;
  const className = listener?.constructor?.name;
  return className === undefined || className === 'Object' ? otherwise : className;
}
