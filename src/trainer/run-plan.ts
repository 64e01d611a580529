import type { TrainingConfig } from '../config/parsed-config.js';
import { AdaptiveTrainerError } from '../errors.js';

/** How long a run is. */
export interface RunPlan {
  /** Optimizer steps. */
  totalSteps: number;
  /** undefined where the rows are streamed, and nobody knows how many there are. */
  stepsPerEpoch: number | undefined;
}

/**
 * As the Hugging Face Trainer counts: a last window of fewer micro-batches is a step too.
 * @throws AdaptiveTrainerError INVALID_INPUT for streamed rows without `maxSteps`
 */
export function planRun(rows: number | undefined, args: TrainingConfig): RunPlan {
  if (rows === undefined) {
    if (args.maxSteps > 0) return { totalSteps: args.maxSteps, stepsPerEpoch: undefined };
    throw new AdaptiveTrainerError(
      'INVALID_INPUT',
      'Expected args.maxSteps, since the rows are streamed and their number is not known, found -1. Set it, or pass an array.',
    );
  }
  const microBatches = Math.ceil(rows / args.batchSize);
  const stepsPerEpoch = Math.max(1, Math.ceil(microBatches / args.gradientAccumulationSteps));
  const totalSteps = args.maxSteps > 0 ? args.maxSteps : Math.ceil(args.numEpochs * stepsPerEpoch);
  return { totalSteps, stepsPerEpoch };
}
