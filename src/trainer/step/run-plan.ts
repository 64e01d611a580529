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
}

/**
 * As the Hugging Face Trainer counts: a last window of fewer micro-batches is a step too. Where batches are cut by tokens,
 * epochs differ in their number of steps, and `stepsPerEpoch` is their mean.
 * @throws AdaptiveTrainerError INVALID_INPUT for streamed rows without `maxSteps`
 */
export function planRun(rows: readonly TrainingRow[] | undefined, args: TrainingConfig): RunPlan {
  if (rows === undefined) {
    if (args.maxSteps > 0) return { totalSteps: args.maxSteps, stepsPerEpoch: undefined };
    throw new AdaptiveTrainerError(
      'INVALID_INPUT',
      'Expected args.maxSteps, since the rows are streamed and their number is not known, found -1. Set it, or pass an array.',
    );
  }
  const epochs = Math.ceil(args.numEpochs);
  const steps = microBatchCounts(rows, args, epochs).map((count) =>
    Math.max(1, Math.ceil(count / args.gradientAccumulationSteps)),
  );
  const whole = steps.reduce((sum, count) => sum + count, 0);
  const cutShort = (epochs - args.numEpochs) * steps.at(-1)!;
  // The margin keeps 2.1 epochs of 10 steps from becoming 22.
  const totalSteps = args.maxSteps > 0 ? args.maxSteps : Math.ceil(whole - cutShort - 1e-9);
  return { totalSteps, stepsPerEpoch: whole / epochs };
}
