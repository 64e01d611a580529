import type { TrainingConfig } from '../../config/schema/parsed-config.js';
import type { WarningEvent } from '../../events/training-event.js';

/** What the user of a run should know before its first step. */
export function runWarnings(
  args: TrainingConfig,
  outputDir: string | undefined,
  totalSteps: number,
): WarningEvent[] {
  const warnings: WarningEvent[] = [];
  const warn = (code: string, message: string) => warnings.push({ type: 'warning', code, message });
  if (args.fp16 && args.precision === 'bf16') {
    warn(
      'FP16_COMPUTES_IN_BF16',
      'float16 has no fast path on a CPU: fp16 computes in bfloat16. Set bf16: true to say so yourself.',
    );
  }
  if (args.precision === 'fp16') {
    warn('FP16_IS_SLOW', 'float16 has no fast path on a CPU: bf16: true is many times faster.');
  }
  if (outputDir === undefined && args.saveStrategy === 'steps' && totalSteps >= args.saveSteps)
    warn('NO_CHECKPOINTS', 'No checkpoints are written: the trainer was given no outputDir.');
  return warnings;
}
