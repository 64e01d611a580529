import type { TrainingConfig } from '../../config/schema/parsed-config.js';

export interface Schedule {
  type: TrainingConfig['lrSchedulerType'];
  /** The highest rate. */
  learningRate: number;
  warmupSteps: number;
  /** Optimizer steps of the whole run. */
  totalSteps: number;
  /** The lowest rate as a share of the highest, for cosine_with_min_lr; `kwargs` may hold it instead. */
  minLrRate?: number | null;
  kwargs?: TrainingConfig['lrSchedulerKwargs'];
}

/** The schedule that a configuration asks for. */
export function scheduleOf(args: TrainingConfig, totalSteps: number): Schedule {
  const { lrSchedulerType: type, lrSchedulerKwargs: kwargs, learningRate, minLrRate } = args;
  return { type, kwargs, learningRate, warmupSteps: warmupSteps(args, totalSteps), minLrRate, totalSteps };
}

/** Steps of the warm-up, which may be given as a share of all. */
export function warmupSteps({ warmupSteps: given }: TrainingConfig, totalSteps: number): number {
  return given < 1 ? Math.ceil(given * totalSteps) : given;
}

/**
 * The learning rate of the optimizer step `step`, counted from 0. The formulas are those of
 * transformers.optimization.get_scheduler.
 */
export function learningRate(step: number, schedule: Schedule): number {
  return schedule.learningRate * factor(step, schedule);
}

function factor(step: number, schedule: Schedule): number {
  const { type, warmupSteps } = schedule;
  if (type === 'constant') return 1;
  if (type === 'wsd' || type === 'warmup_stable_decay') return warmupStableDecay(step, schedule);
  if (step < warmupSteps) return step / Math.max(1, warmupSteps);
  return Math.max(0, afterWarmup(step, schedule));
}

function afterWarmup(step: number, schedule: Schedule): number {
  const { type, warmupSteps, totalSteps, kwargs = {} } = schedule;
  const progress = (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps);
  switch (type) {
    case 'linear':
      return 1 - progress;
    case 'cosine':
      return wave(2 * (kwargs.numCycles ?? 0.5) * progress);
    case 'cosine_with_min_lr': {
      const least = leastShare(schedule);
      return wave(2 * (kwargs.numCycles ?? 0.5) * progress) * (1 - least) + least;
    }
    case 'cosine_with_restarts':
      return progress >= 1 ? 0 : wave(((kwargs.numCycles ?? 1) * progress) % 1);
    case 'polynomial':
      return polynomial(step, schedule);
    case 'inverse_sqrt': {
      const timescale = kwargs.timescale ?? (warmupSteps || 10_000);
      return 1 / Math.sqrt((step + timescale - warmupSteps) / timescale);
    }
    default:
      return 1;
  }
}

/** From 1 at 0 to 0 at 1 and back, as a cosine. */
function wave(x: number): number {
  return (1 + Math.cos(Math.PI * x)) / 2;
}

function leastShare({ learningRate, minLrRate, kwargs = {} }: Schedule): number {
  return kwargs.minLr === undefined
    ? (kwargs.minLrRate ?? minLrRate ?? 0)
    : kwargs.minLr / (learningRate || 1);
}

function polynomial(step: number, { learningRate, warmupSteps, totalSteps, kwargs = {} }: Schedule): number {
  const { power = 1, lrEnd = 1e-7 } = kwargs;
  const end = lrEnd / (learningRate || 1);
  if (step > totalSteps) return end;
  const left = 1 - (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps);
  return (1 - end) * left ** power + end;
}

function warmupStableDecay(step: number, { warmupSteps, totalSteps, kwargs = {} }: Schedule): number {
  const decaySteps = kwargs.numDecaySteps ?? Math.round(totalSteps / 10);
  const stableSteps = kwargs.numStableSteps ?? totalSteps - warmupSteps - decaySteps;
  const least = kwargs.minLrRatio ?? 0;
  const between = (share: number) => Math.max(0, share * (1 - least) + least);
  if (step < warmupSteps) {
    const progress = step / Math.max(1, warmupSteps);
    const { warmupType = 'linear' } = kwargs;
    if (warmupType === 'cosine') return between((1 - Math.cos(Math.PI * progress)) / 2);
    return between(warmupType === '1-sqrt' ? 1 - Math.sqrt(1 - progress) : progress);
  }
  if (step < warmupSteps + stableSteps) return 1;
  if (step >= warmupSteps + stableSteps + decaySteps) return least;
  const progress = (step - warmupSteps - stableSteps) / Math.max(1, decaySteps);
  const { decayType = 'cosine', numCycles = 0.5 } = kwargs;
  if (decayType === 'cosine') return between(wave(2 * numCycles * progress));
  return between(decayType === '1-sqrt' ? 1 - Math.sqrt(progress) : 1 - progress);
}
