import type { TrainingConfig } from '../../config/schema/parsed-config.js';
import type { MemoryEstimate } from '../../events/memory-report.js';
import { memoryEstimate, type MemoryInput } from './memory-estimate.js';
import { pagingRequest, statePlaces } from './paged-states.js';

/** What the estimate of a run is made from, and what there is for it. */
export interface PlannedRun extends MemoryInput {
  args: TrainingConfig;
  /** What the process has of the run's memory already. */
  held: number;
}

/** The least that a run needs: with all blocks recomputed, where that is left to it, and states paged that need not be on a device. */
export function leastMemory(run: PlannedRun): MemoryEstimate & { pagedStates: number } {
  const least = memoryEstimate({ ...run, keptBlocks: 0 });
  if (run.device === undefined) return { ...least, pagedStates: 0 };
  const { weights, gradients, base, optimizer: states } = least;
  const free = run.available + run.held - weights - base;
  const { restOfStep } = pagingRequest(run, run).paged ?? {};
  const places =
    restOfStep !== undefined && Number.isFinite(free)
      ? statePlaces({ states, values: run.trainable ?? run.parameters, free, gradients, restOfStep })
      : { held: states, paged: 0 };
  // The loss takes a part of what is left.
  const available = Math.max(0, free - places.held);
  return {
    ...memoryEstimate({ ...run, keptBlocks: 0, statesOnDevice: places.held, available }),
    pagedStates: places.paged,
  };
}
