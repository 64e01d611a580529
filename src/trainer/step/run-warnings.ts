import type { Precision, TrainingConfig } from '../../config/schema/parsed-config.js';
import { loadAddon } from '../../engine/load/load-addon.js';
import type { WarningEvent } from '../../events/training-event.js';

/** What the user of a run should know before its first step. */
export function runWarnings(
  args: TrainingConfig,
  precision: Precision,
  outputDir: string | undefined,
  totalSteps: number,
): WarningEvent[] {
  const warnings: WarningEvent[] = [];
  const warn = (code: string, message: string) => warnings.push({ type: 'warning', code, message });
  const flag = args.fp16 ? 'fp16' : 'bf16';
  const isNative = loadAddon().bfloat16Products === 'native';
  if (args.precision === null && precision === 'fp32') {
    warn(
      'COMPUTES_IN_FLOAT32',
      `This CPU has no instructions for bfloat16: ${flag} computes in float32, which is faster here. precision: 'bf16' insists on bfloat16.`,
    );
  } else if (args.precision === null && args.fp16) {
    warn(
      'FP16_COMPUTES_IN_BF16',
      'float16 has no fast path on a CPU: fp16 computes in bfloat16. Set bf16: true to say so yourself.',
    );
  }
  if (precision === 'fp16') {
    warn('FP16_IS_SLOW', 'float16 has no fast path on a CPU: bf16: true is many times faster.');
  } else if (precision !== 'fp32' && !isNative) {
    const gain = precision === 'bf16-true' ? 'less memory at the price of speed' : 'nothing';
    warn(
      'BF16_IS_SLOW',
      `This CPU has no instructions for bfloat16: precision: '${precision}' gains ${gain}. precision: 'fp32' is faster.`,
    );
  }
  if (outputDir === undefined && args.saveStrategy === 'steps' && totalSteps >= args.saveSteps)
    warn('NO_CHECKPOINTS', 'No checkpoints are written: the trainer was given no outputDir.');
  return warnings;
}
