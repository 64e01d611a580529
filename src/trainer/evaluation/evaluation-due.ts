import type { TrainingConfig } from '../../config/schema/parsed-config.js';

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
