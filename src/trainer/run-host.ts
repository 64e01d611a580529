import type { AdaptiveLossConfig, Precision, TrainingConfig } from '../config/schema/parsed-config.js';
import type { EvaluateEvent, TrainingEvent } from '../events/training-event.js';
import type { TrainingRow } from '../events/training-row.js';
import type { CausalLM } from '../model/causal-lm.js';
import type { Ranks } from '../ranks/ranks.js';
import type { AdaptiveTrainerOptions } from './adaptive-trainer-options.js';
import type { Checkpoints } from './checkpoint/checkpoints.js';
import type { Fingerprint } from './checkpoint/run-state.js';
import type { RunControl } from './run-control.js';
import type { StepReport } from './step/take-step.js';

/** What a run takes from its trainer: settings, and the methods that a subclass may replace. */
export interface RunHost {
  readonly model: CausalLM;
  /** `outputDir` with the value that it has after parsing. */
  readonly options: AdaptiveTrainerOptions;
  readonly args: TrainingConfig;
  readonly adaptiveLoss: AdaptiveLossConfig;
  readonly precision: Precision;
  readonly configWarnings: readonly { code: string; message: string }[];
  readonly ranks: Ranks;
  readonly control: RunControl;
  /** Whether a subclass has an order, or a schedule, of its own. */
  readonly hasOwnOrder: boolean;
  readonly hasOwnSchedule: boolean;
  readonly newCheckpoints: () => Checkpoints;
  readonly fingerprint: () => Promise<Fingerprint>;
  readonly learningRate: (step: number) => number;
  readonly trainBatches: (epoch: number) => Iterable<TrainingRow[]> | AsyncIterable<TrainingRow[]>;
  readonly trainStep: (window: readonly TrainingRow[][], learningRate: number) => Promise<StepReport>;
  readonly afterStep: () => Promise<void>;
  readonly evaluate: () => Promise<EvaluateEvent>;
  readonly saveCheckpoint: () => Promise<string | undefined>;
  readonly saveFinalModel: () => Promise<string>;
  readonly emit: (event: TrainingEvent) => Promise<void>;
  /** Ends the run after the step it is in. */
  readonly stop: () => void;
}
