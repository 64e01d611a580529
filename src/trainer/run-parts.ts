import type { Checkpoints } from './checkpoint/checkpoints.js';
import type { RunInspection } from './inspection/run-inspection.js';
import type { BlockKeeper } from './memory/block-keeper.js';
import type { RankAgreement } from './rank-agreement.js';
import type { PreparedRetention } from './retention/prepare-retention.js';
import type { Run } from './run.js';
import type { StepTrace } from './step/step-trace.js';

/** What a trainer holds of the run that it is in, or was in last. prepareRun() makes it anew. */
export interface RunParts {
  run: Run;
  checkpoints: Checkpoints;
  agreement: RankAgreement;
  /** The step of the newest checkpoint. */
  savedStep?: number | undefined;
  held?: PreparedRetention | undefined;
  inspection?: RunInspection | undefined;
  keeper?: BlockKeeper | undefined;
  /** While the run is traced. */
  trace?: StepTrace | undefined;
  /** What a step pulls the weights to their start by, for each unit of its learning rate. */
  pullPerRate: number;
  /** What the model had frozen before a run that freezes weights of its own. */
  frozenBefore?: readonly string[] | undefined;
}
