import type { AdaptiveTrainer } from '../adaptive-trainer.js';
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
} from '../tracking/training-event.js';

type Hook<Event> = (event: Event, trainer: AdaptiveTrainer) => void | Promise<void>;

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
