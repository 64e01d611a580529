import type { TrainingConfig } from '../../config/schema/parsed-config.js';
import type { RunProgress } from '../run-progress.js';

/** Whether something depends on how good the model is found to be. */
export function watchesMetric(args: TrainingConfig): boolean {
  if (args.loadBestModelAtEnd || args.saveStrategy === 'best') return true;
  return args.earlyStoppingPatience !== null || args.lrSchedulerType === 'reduce_lr_on_plateau';
}

/**
 * Whether an evaluation by steps is due after `step`. Where something depends on it, one is due after the last step too, as in
 * the Hugging Face Trainer.
 */
export function isEvaluationDue(args: TrainingConfig, step: number, stepsLeft: number): boolean {
  if (args.evalStrategy !== 'steps' || step < args.evalDelay) return false;
  return step % args.evalSteps === 0 || (stepsLeft <= 0 && watchesMetric(args));
}

/** How often a run evaluates. */
export function plannedEvaluations(args: TrainingConfig, { totalSteps, plannedEpochs }: RunProgress): number {
  const { evalStrategy, evalSteps, evalOnStart } = args;
  const atStart = evalOnStart ? 1 : 0;
  if (evalStrategy === 'no') return atStart;
  if (evalStrategy === 'epoch')
    return atStart + Math.ceil(Math.max(0, plannedEpochs - Math.max(0, args.evalDelay - 1)));
  const atEnd = totalSteps % evalSteps !== 0 && isEvaluationDue(args, totalSteps, 0) ? 1 : 0;
  const before = Math.max(0, Math.ceil(args.evalDelay / evalSteps) - 1);
  return atStart + Math.max(0, Math.floor(totalSteps / evalSteps) - before) + atEnd;
}
