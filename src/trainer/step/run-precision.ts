import type { Precision, TrainingConfig } from '../../config/schema/parsed-config.js';
import { loadAddon } from '../../engine/load/load-addon.js';

/**
 * What a run computes in: what `precision` says on any machine. The flags fp16 and bf16 ask for speed: on a GPU each is what it
 * says; on a CPU bfloat16 where it has instructions for it, float32 elsewhere.
 * @param device as the engine names it
 */
export function runPrecision(
  { precision, fp16, bf16 }: Pick<TrainingConfig, 'precision' | 'fp16' | 'bf16'>,
  device: string,
): Precision {
  if (precision !== null) return precision;
  if (device !== 'cpu') return bf16 ? 'bf16' : fp16 ? 'fp16' : 'fp32';
  return (fp16 || bf16) && loadAddon().bfloat16Instructions ? 'bf16' : 'fp32';
}
