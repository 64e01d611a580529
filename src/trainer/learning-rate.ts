import type { TrainingConfig } from '../config/parsed-config.js';

export interface Schedule {
  type: TrainingConfig['lrSchedulerType'];
  /** The highest rate. */
  learningRate: number;
  warmupSteps: number;
  /** Optimizer steps of the whole run. */
  totalSteps: number;
  /** The lowest rate as a share of the highest, for cosine_with_min_lr. */
  minLrRate?: number | null;
}

/**
 * The learning rate of the optimizer step `step`, counted from 0. The formulas are those of
 * transformers.optimization.get_scheduler.
 */
export function learningRate(step: number, schedule: Schedule): number {
  return schedule.learningRate * factor(step, schedule);
}

function factor(step: number, { type, warmupSteps, totalSteps, minLrRate }: Schedule): number {
  if (type === 'constant') return 1;
  if (step < warmupSteps) return step / Math.max(1, warmupSteps);
  const progress = (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps);
  const cosine = (1 + Math.cos(Math.PI * progress)) / 2;
  switch (type) {
    case 'constant_with_warmup':
      return 1;
    case 'linear':
      return Math.max(0, 1 - progress);
    case 'cosine':
      return Math.max(0, cosine);
    case 'cosine_with_min_lr':
      return Math.max(0, cosine * (1 - (minLrRate ?? 0)) + (minLrRate ?? 0));
  }
}
