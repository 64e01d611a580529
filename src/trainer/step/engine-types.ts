import type { Precision } from '../../config/schema/parsed-config.js';
import type { ComputeType } from '../../engine/addon.js';

/** What the engine computes in, and what it keeps the weights in between two steps. */
export function engineTypes(precision: Precision): {
  computeType: ComputeType;
  masterType: ComputeType;
} {
  switch (precision) {
    case 'fp32':
      return { computeType: 'float32', masterType: 'float32' };
    case 'fp16':
      return { computeType: 'float16', masterType: 'float32' };
    case 'bf16':
      return { computeType: 'bfloat16', masterType: 'float32' };
    case 'bf16-true':
      return { computeType: 'bfloat16', masterType: 'bfloat16' };
  }
}
