import type { AdaptiveLossConfig, TrainingConfig } from '../config/schema/parsed-config.js';
import type { AdaptiveState } from '../engine/addon.js';
import type {
  AbortedEvent,
  AdaptiveEvent,
  DatasetsEvent,
  EndEvent,
  ErrorEvent,
  EvaluateEvent,
  LogEvent,
  SamplesEvent,
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
  /** Ends the run after the step it is in, as if that had been the last one. */
  stop(): void;
  evaluate(): Promise<EvaluateEvent>;
  saveModel(dir: string, options?: SaveOptions): Promise<void>;
}

/** Code that is called with an event of a training run, and awaited. */
export type TrainerHook<Event> = (event: Event, trainer: RunningTrainer) => void | Promise<void>;

/**
 * Code that runs at points of a training run, and is awaited. To end the run from it, call `trainer.stop()`, or abort the
 * signal that the trainer was given. What it throws does not: the first time, a CALLBACK_FAILED warning names it, and it is
 * called as before.
 */
export interface TrainerCallback {
  /** What warnings call it. Default: the name of its class, or its place among the callbacks. */
  readonly name?: string;
  onDatasets?: TrainerHook<DatasetsEvent>;
  onSamples?: TrainerHook<SamplesEvent>;
  onStart?: TrainerHook<StartEvent>;
  onStepEnd?: TrainerHook<StepEvent>;
  onLog?: TrainerHook<LogEvent>;
  onAdaptive?: TrainerHook<AdaptiveEvent>;
  onEvaluate?: TrainerHook<EvaluateEvent>;
  onSave?: TrainerHook<SaveEvent>;
  onWarning?: TrainerHook<WarningEvent>;
  onEnd?: TrainerHook<EndEvent>;
  onAborted?: TrainerHook<AbortedEvent>;
  onError?: TrainerHook<ErrorEvent>;
}

/** The hook that an event belongs to. */
export const hookOf = {
  datasets: 'onDatasets',
  samples: 'onSamples',
  start: 'onStart',
  step: 'onStepEnd',
  log: 'onLog',
  adaptive: 'onAdaptive',
  evaluate: 'onEvaluate',
  save: 'onSave',
  warning: 'onWarning',
  end: 'onEnd',
  aborted: 'onAborted',
  error: 'onError',
} as const satisfies Record<TrainingEvent['type'], Exclude<keyof TrainerCallback, 'name'>>;
