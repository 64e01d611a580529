import type { AdaptiveLossConfig, TrainingConfig } from '../config/schema/parsed-config.js';
import type { AdaptiveState } from '../engine/addon.js';
import type { Tracker } from '../events/tracker.js';
import type {
  AdaptiveEvent,
  DatasetsEvent,
  EndEvent,
  EvaluateEvent,
  LogEvent,
  SaveEvent,
  StartEvent,
  StepEvent,
  TrainingEvent,
  WarningEvent,
} from '../events/training-event.js';
import type { CausalLM } from '../model/causal-lm.js';
import type { SaveOptions } from '../model/files/save-pretrained.js';
import { hookOf, type RunningTrainer, type TrainerCallback } from './trainer-callback.js';

type AnyHook = (event: TrainingEvent, trainer: RunningTrainer) => void | Promise<void>;

/** What a trainer tells, and whom: its own `on…` methods, the callbacks, the trackers, in this order and each awaited. */
export abstract class TrainerEvents implements RunningTrainer {
  abstract readonly model: CausalLM;
  abstract readonly args: TrainingConfig;
  abstract readonly adaptiveLoss: AdaptiveLossConfig;
  abstract adaptiveState: AdaptiveState;
  abstract stop(): void;
  abstract evaluate(): Promise<EvaluateEvent>;
  abstract saveModel(dir: string, options?: SaveOptions): Promise<void>;

  private readonly callbacks: readonly TrainerCallback[];
  private readonly trackers: readonly Tracker[];

  constructor({
    callbacks = [],
    trackers = [],
  }: {
    callbacks?: readonly TrainerCallback[];
    trackers?: readonly Tracker[];
  }) {
    this.callbacks = callbacks;
    this.trackers = trackers;
  }

  // To override: each sees its event before the callbacks and trackers do, and is awaited. What it throws ends the run.
  protected onDatasets(_event: DatasetsEvent): void | Promise<void> {}
  protected onStart(_event: StartEvent): void | Promise<void> {}
  protected onStepEnd(_event: StepEvent): void | Promise<void> {}
  protected onLog(_event: LogEvent): void | Promise<void> {}
  protected onAdaptive(_event: AdaptiveEvent): void | Promise<void> {}
  protected onEvaluate(_event: EvaluateEvent): void | Promise<void> {}
  protected onSave(_event: SaveEvent): void | Promise<void> {}
  protected onWarning(_event: WarningEvent): void | Promise<void> {}
  protected onEnd(_event: EndEvent): void | Promise<void> {}

  /** Tells an event to all who listen. For parts that take the place of the trainer's own. */
  protected async emit(event: TrainingEvent): Promise<void> {
    const hook = hookOf[event.type];
    // The key of the hook and the type of the event belong together, which TypeScript cannot follow.
    await (this[hook] as AnyHook).call(this, event, this);
    for (const callback of this.callbacks)
      await (callback[hook] as AnyHook | undefined)?.call(callback, event, this);
    for (const tracker of this.trackers) await tracker.onEvent(event);
  }

  protected async closeTrackers(): Promise<void> {
    for (const tracker of this.trackers) await tracker.close();
  }
}
