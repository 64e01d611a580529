import { errorText } from '../common/error-text.js';
import type { MixProgress } from '../events/dataset-report.js';
import type { HubEvent } from '../events/hub-event.js';
import type { Tracker } from '../events/tracker.js';
import type { TrainingEvent, WarningEvent } from '../events/training-event.js';
import { dataPrinter } from './terminal/data-printer.js';
import { hubPrinter } from './terminal/hub-printer.js';
import { ProgressBar } from './terminal/progress-bar.js';

/** Who watches a run while it goes on. */
export interface RunViewOptions {
  progress?: boolean | undefined;
  onEvent?: ((event: TrainingEvent) => void) | undefined;
  onHub?: ((event: HubEvent) => void) | undefined;
  onData?: ((progress: MixProgress) => void) | undefined;
  onNote?: ((text: string) => void) | undefined;
}

/** Shows a run, from its first warning on: on standard error and to the functions of the caller. */
export class RunView {
  /** What was warned of through `warn`. */
  readonly warnings: WarningEvent[] = [];
  /** The progress bar and the caller's `onEvent`, as far as they are wanted. */
  readonly trackers: readonly Tracker[];
  private readonly failed = new Set<string>();
  private readonly bar: ProgressBar | undefined;
  private readonly printers:
    { hub: (event: HubEvent) => void; data: ReturnType<typeof dataPrinter> } | undefined;

  constructor(private readonly options: RunViewOptions) {
    const { progress = true, onEvent } = options;
    this.bar = progress ? new ProgressBar() : undefined;
    this.printers = progress ? { hub: hubPrinter(), data: dataPrinter() } : undefined;
    this.trackers = [
      ...(this.bar === undefined ? [] : [this.bar]),
      ...(onEvent === undefined ? [] : [{ name: 'onEvent', onEvent, close: async () => {} }]),
    ];
  }

  /** Returns what shows warnings with a code at once. What a listener throws becomes a process warning. */
  warn(code: string): (message: string) => void {
    return (message) => {
      const warning = { type: 'warning', code, message } as const;
      this.warnings.push(warning);
      this.show(warning);
    };
  }

  show(event: TrainingEvent): void {
    this.clear();
    for (const tracker of this.trackers)
      this.attempt(tracker.name ?? 'The progress bar', () => tracker.onEvent(event));
  }

  readonly onHub = (event: HubEvent): void => {
    this.printers?.hub(event);
    this.attempt('onHub', () => this.options.onHub?.(event));
  };

  readonly onData = (progress: MixProgress): void => {
    this.printers?.data.onProgress(progress);
    this.attempt('onData', () => this.options.onData?.(progress));
  };

  /** Shows a line that is no warning. */
  readonly note = (text: string): void => {
    this.bar?.note(text);
    this.attempt('onNote', () => this.options.onNote?.(text));
  };

  /** Takes the live line of the datasets away. */
  readonly clear = (): void => this.printers?.data.clear();

  /** Calls a function of the caller. What it throws does not end the run: the first time, a process warning names it. */
  private attempt(name: string, call: () => unknown): void {
    const called = async () => call();
    called().catch((error: unknown) => {
      if (this.failed.has(name)) return;
      this.failed.add(name);
      const message = `${name} failed: ${errorText(error)}. The run goes on, and this is not warned of again.`;
      process.emitWarning(message, { code: 'TRACKER_FAILED' });
    });
  }
}
