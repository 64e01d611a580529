import type { AdaptiveLossConfig, TrainingConfig } from '../config/schema/parsed-config.js';
import type { AdaptiveState } from '../engine/addon.js';
import type { EvaluateEvent, TrainingEvent } from '../events/training-event.js';
import type { CausalLM } from '../model/causal-lm.js';
import type { SaveOptions } from '../model/files/save-pretrained.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import type { Ranks } from '../ranks/ranks.js';
import type { RunControl } from './run-control.js';

/** What a callback may do with the trainer that calls it; an AdaptiveTrainer is one. */
export interface RunningTrainer {
  readonly model: CausalLM;
  /** undefined where the trainer was given none. */
  readonly tokenizer: Tokenizer | undefined;
  readonly args: TrainingConfig;
  readonly adaptiveLoss: AdaptiveLossConfig;
  /** α and β as they stand. */
  readonly adaptiveState: AdaptiveState;
  /** Ends the run after the step it is in, as if that had been the last one. */
  stop(): void;
  /** Pauses the run, and does what is asked between two of its steps. */
  readonly control: RunControl;
  /** The processes that train together. Each calls its callbacks; `ranks.isFirst` tells where to print and to write. */
  readonly ranks: Ranks;
  /** Writes a checkpoint after the step that the run is in; not to be awaited in a callback. */
  save(): Promise<string | undefined>;
  evaluate(): Promise<EvaluateEvent>;
  saveModel(dir: string, options?: SaveOptions): Promise<void>;
}

/** Code that is called with an event of a training run, and awaited. */
export type TrainerHook<Event> = (event: Event, trainer: RunningTrainer) => void | Promise<void>;

/** The name of the hook for a type of event: `onLog` for `log`; `onStepEnd` for `step`. */
export type HookName<Type extends TrainingEvent['type']> = Type extends 'step'
  ? 'onStepEnd'
  : `on${Capitalize<Type>}`;

/** One hook for each type of event. */
export type TrainerHooks = {
  [Type in TrainingEvent['type'] as HookName<Type>]?: TrainerHook<Extract<TrainingEvent, { type: Type }>>;
};

/**
 * Code that runs at points of a training run, and is awaited. To end the run from it, call `trainer.stop()`, or abort the
 * signal that the trainer was given. What it throws does not: the first time, a CALLBACK_FAILED warning names it, and it is
 * called as before.
 */
export interface TrainerCallback extends TrainerHooks {
  /** What warnings call it. Default: the name of its class, or its place among the callbacks. */
  readonly name?: string;
}

/** Returns the name of the hook that events of a type belong to. */
export function hookName<Type extends TrainingEvent['type']>(type: Type): HookName<Type> {
  return (type === 'step' ? 'onStepEnd' : `on${type[0]!.toUpperCase()}${type.slice(1)}`) as HookName<Type>;
}
