import type { Precision, TrainingConfig } from '../../config/schema/parsed-config.js';
import { loadAddon } from '../../engine/load/load-addon.js';

/**
 * What a run computes in: what `precision` says on any machine. The flags fp16 and bf16 ask for speed: bfloat16 where the
 * CPU has instructions for it, float32 elsewhere.
 */
export function runPrecision({
  precision,
  fp16,
  bf16,
}: Pick<TrainingConfig, 'precision' | 'fp16' | 'bf16'>): Precision {
  if (precision !== null) return precision;
  return (fp16 || bf16) && loadAddon().bfloat16Instructions ? 'bf16' : 'fp32';
}
