import { errorText } from '../common/error-text.js';
import type { AdaptiveLossConfig, TrainingConfig } from '../config/schema/parsed-config.js';
import type { AdaptiveState } from '../engine/addon.js';
import type { Tracker } from '../events/tracker.js';
import type {
  AbortedEvent,
  AdaptiveEvent,
  ComparisonEvent,
  DatasetsEvent,
  EndEvent,
  ErrorEvent,
  EvaluateEvent,
  InspectEvent,
  LogEvent,
  SamplesEvent,
  SaveEvent,
  StartEvent,
  StepEvent,
  TextsEvent,
  TrainingEvent,
  WarningEvent,
} from '../events/training-event.js';
import type { CausalLM } from '../model/causal-lm.js';
import type { Ranks } from '../ranks/ranks.js';
import type { SaveOptions } from '../model/files/save-pretrained.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import { Listeners } from './listeners.js';
import type { RunControl } from './run-control.js';
import { hookName, type RunningTrainer, type TrainerCallback } from './trainer-callback.js';

/**
 * Sends events to the trainer's own `on…` methods, the callbacks and the trackers, in this order; each is awaited. With several
 * ranks, rank 0 alone tells its trackers.
 */
export abstract class TrainerEvents implements RunningTrainer {
  abstract readonly model: CausalLM;
  abstract readonly tokenizer: Tokenizer | undefined;
  abstract readonly args: TrainingConfig;
  abstract readonly adaptiveLoss: AdaptiveLossConfig;
  abstract readonly adaptiveState: AdaptiveState;
  abstract readonly control: RunControl;
  abstract readonly ranks: Ranks;
  abstract stop(): void;
  abstract save(): Promise<string | undefined>;
  abstract evaluate(): Promise<EvaluateEvent>;
  abstract saveModel(dir: string, options?: SaveOptions): Promise<void>;

  private readonly listeners: Listeners;

  constructor(options: { callbacks?: readonly TrainerCallback[]; trackers?: readonly Tracker[] }) {
    this.listeners = new Listeners(options.callbacks ?? [], options.trackers ?? []);
  }

  // To override: each gets its event before the callbacks and trackers do, and is awaited. What one throws ends the run;
  // onAborted and onError are called after the end, where it becomes a process warning.
  protected onDatasets(_event: DatasetsEvent): void | Promise<void> {}
  protected onSamples(_event: SamplesEvent): void | Promise<void> {}
  protected onTexts(_event: TextsEvent): void | Promise<void> {}
  protected onInspect(_event: InspectEvent): void | Promise<void> {}
  protected onComparison(_event: ComparisonEvent): void | Promise<void> {}
  protected onStart(_event: StartEvent): void | Promise<void> {}
  protected onStepEnd(_event: StepEvent): void | Promise<void> {}
  protected onLog(_event: LogEvent): void | Promise<void> {}
  protected onAdaptive(_event: AdaptiveEvent): void | Promise<void> {}
  protected onEvaluate(_event: EvaluateEvent): void | Promise<void> {}
  protected onSave(_event: SaveEvent): void | Promise<void> {}
  protected onWarning(_event: WarningEvent): void | Promise<void> {}
  protected onEnd(_event: EndEvent): void | Promise<void> {}
  protected onAborted(_event: AbortedEvent): void | Promise<void> {}
  protected onError(_event: ErrorEvent): void | Promise<void> {}

  /** Sends an event to all listeners. For subclasses that replace parts of the trainer. */
  protected async emit(event: TrainingEvent): Promise<void> {
    await this.tellOwn(event);
    await this.tellOthers(event);
  }

  /** Sends the last event of a run that did not complete, and closes the trackers. Never throws: the run's error stays. */
  protected async endListening(last?: AbortedEvent | ErrorEvent): Promise<void> {
    const attempt = (telling: Promise<void>) =>
      telling.catch((error: unknown) => {
        const message = `A method of ${this.constructor.name} failed at the end of a run: ${errorText(error)}.`;
        process.emitWarning(message, { code: 'CALLBACK_FAILED' });
      });
    if (last !== undefined) {
      await attempt(this.tellOwn(last));
      await attempt(this.tellOthers(last));
    }
    await this.listeners.close((warning) => attempt(this.emit(warning)));
  }

  private async tellOwn(event: TrainingEvent): Promise<void> {
    // The key of the hook and the type of the event belong together, which TypeScript cannot follow.
    await (this[hookName(event.type)] as (event: TrainingEvent) => void | Promise<void>).call(this, event);
  }

  private async tellOthers(event: TrainingEvent): Promise<void> {
    for (const warning of await this.listeners.tell(event, this, this.ranks.isFirst))
      await this.emit(warning);
  }
}
