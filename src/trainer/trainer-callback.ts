import type { AdaptiveLossConfig, TrainingConfig } from '../config/schema/parsed-config.js';
import type { AdaptiveState } from '../engine/addon.js';
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

/** What a callback may do with the trainer that calls it; an AdaptiveTrainer is one. */
export interface RunningTrainer {
  readonly model: CausalLM;
  readonly args: TrainingConfig;
  readonly adaptiveLoss: AdaptiveLossConfig;
  /** α and β as they stand. */
  readonly adaptiveState: AdaptiveState;
  /** Ends the run after the step it is in. */
  stop(): void;
  evaluate(): Promise<EvaluateEvent>;
  saveModel(dir: string, options?: SaveOptions): Promise<void>;
}

type Hook<Event> = (event: Event, trainer: RunningTrainer) => void | Promise<void>;

/** Code that runs at points of a training run. It is awaited; what it throws ends the run. */
export interface TrainerCallback {
  onDatasets?: Hook<DatasetsEvent>;
  onStart?: Hook<StartEvent>;
  onStepEnd?: Hook<StepEvent>;
  onLog?: Hook<LogEvent>;
  onAdaptive?: Hook<AdaptiveEvent>;
  onEvaluate?: Hook<EvaluateEvent>;
  onSave?: Hook<SaveEvent>;
  onWarning?: Hook<WarningEvent>;
  onEnd?: Hook<EndEvent>;
}

/** The hook that an event belongs to. */
export const hookOf = {
  datasets: 'onDatasets',
  start: 'onStart',
  step: 'onStepEnd',
  log: 'onLog',
  adaptive: 'onAdaptive',
  evaluate: 'onEvaluate',
  save: 'onSave',
  warning: 'onWarning',
  end: 'onEnd',
} as const satisfies Record<TrainingEvent['type'], keyof TrainerCallback>;
