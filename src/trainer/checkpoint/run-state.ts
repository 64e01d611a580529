import type { AdaptiveState, OptimizerCounts } from '../../engine/addon.js';
import type { BestModelState } from '../evaluation/best-model.js';
import type { BatchesSince } from '../step/run-plan.js';
import type { RetentionState } from '../retention/retention.js';
import type { NumberGuardState } from '../step/number-guard.js';
import type { PlateauState } from '../step/plateau.js';
import type { StepEvent, TokenStatistics } from '../../events/training-event.js';

/** What a run has to know, besides weights and optimizer, to go on as if it had never stopped. */
export interface RunState {
  /** The run that it belongs to; those that go on from it in its folder are the same run. */
  runId: string;
  /** Optimizer steps done. */
  step: number;
  optimizer: OptimizerCounts;
  /** The epoch it is in, from 0, and how many windows of it are done. */
  epochIndex: number;
  windowsDone: number;
  /** Windows of the last pass over the rows that ended; absent in the first. */
  windowsPerPass?: number | undefined;
  since: BatchesSince;
  adaptiveState: AdaptiveState;
  log: StepLogState;
  /** Absent with any schedule but `reduce_lr_on_plateau`. */
  plateau?: PlateauState | undefined;
  /** Absent where nothing is replayed or measured. */
  retention?: RetentionState | undefined;
  guard: NumberGuardState;
  best: BestModelState;
  /** Log entries in the Hugging Face form. */
  history: Record<string, number>[];
  fingerprint: Fingerprint;
}

/** The memory of a StepLog. */
export interface StepLogState {
  recent: StepEvent[];
  steps: number;
  lossSum: number;
  seconds: number;
  tokens: number;
  labelledTokens: number;
  statistics: TokenStatistics | undefined;
  /** As it was last measured; absent before that. */
  forgetting?: number;
}

/** What a run is compared by when it is gone on with, part by part (see `fingerprint`). */
export type Fingerprint = Record<string, string | number | boolean | null>;
