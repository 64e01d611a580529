import type { TrainingConfig } from '../../config/schema/parsed-config.js';
import type { TrainingRow } from '../../events/training-row.js';
import { AdaptiveTrainerError } from '../../errors.js';
import { microBatchCounts } from '../batches/train-batches.js';

/** How long a run is. */
export interface RunPlan {
  /** Optimizer steps. */
  totalSteps: number;
  /** undefined for streamed rows, whose number is not known. */
  stepsPerEpoch: number | undefined;
  since: BatchesSince;
  /** Epochs done by then, as a fraction. */
  epochsBefore: number;
}

/** Where in a run its present batch settings began to hold; at its beginning, unless it was continued with others. Survives JSON. */
export interface BatchesSince {
  /** Steps done. */
  step: number;
  /** The epoch, from 0, and how many rows of it were passed. */
  epochIndex: number;
  rows: number;
}

const beginning: BatchesSince = { step: 0, epochIndex: 0, rows: 0 };

/** Before anything is known of a run. */
export const noPlan: RunPlan = { totalSteps: 0, stepsPerEpoch: undefined, since: beginning, epochsBefore: 0 };

/**
 * As the Hugging Face Trainer counts: a last window of fewer micro-batches is a step too. Where batches are cut by tokens,
 * epochs differ in their number of steps, and `stepsPerEpoch` is their mean.
 * @throws AdaptiveTrainerError INVALID_INPUT for streamed rows without `maxSteps`
 */
export function planRun(
  rows: readonly TrainingRow[] | undefined,
  args: TrainingConfig,
  since: BatchesSince = beginning,
): RunPlan {
  if (rows === undefined) {
    if (args.maxSteps > 0) return { ...noPlan, totalSteps: args.maxSteps, since };
    throw new AdaptiveTrainerError(
      'INVALID_INPUT',
      'Expected args.maxSteps, since the rows are streamed and their number is not known, found -1. Set it, or pass an array.',
    );
  }
  const epochs = Math.max(Math.ceil(args.numEpochs), since.epochIndex + 1);
  const stepsOf = (from: BatchesSince) =>
    microBatchCounts(rows, args, epochs - since.epochIndex, from).map((count) =>
      Math.max(1, Math.ceil(count / args.gradientAccumulationSteps)),
    );
  const whole = stepsOf({ ...since, rows: 0 });
  const stepsPerEpoch = sum(whole) / whole.length;
  const epochsBefore = since.epochIndex + since.rows / rows.length;
  if (args.maxSteps > 0) return { totalSteps: args.maxSteps, stepsPerEpoch, since, epochsBefore };
  const left = since.rows === 0 ? whole : stepsOf(since);
  const cutShort = (epochs - args.numEpochs) * whole.at(-1)!;
  // The margin keeps 2.1 epochs of 10 steps from becoming 22.
  const steps = Math.max(0, Math.ceil(sum(left) - cutShort - 1e-9));
  return { totalSteps: since.step + steps, stepsPerEpoch, since, epochsBefore };
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, next) => total + next, 0);
