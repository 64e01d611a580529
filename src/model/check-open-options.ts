import { AdaptiveTrainerError } from '../errors.js';
import { describeGraphics, seenGraphics } from '../engine/platform/graphics.js';
import { expectInput } from '../common/expect-input.js';
import type { FromPretrainedOptions } from './from-pretrained-options.js';
import { checkQuantization } from './quantization/quantization.js';

/** @throws AdaptiveTrainerError INVALID_INPUT, or NOT_AVAILABLE for what is known and not built */
export function checkOpenOptions({
  device = 'auto',
  dtype = 'float32',
  attnImpl = null,
  quantization,
}: FromPretrainedOptions): void {
  if (quantization !== undefined) checkQuantization(quantization);
  expectInput(dtype === 'float32' || dtype === 'bfloat16', 'dtype', '"float32" or "bfloat16"', dtype);
  if (/^cuda(:\d+)?$/.test(device)) {
    throw new AdaptiveTrainerError(
      'NOT_AVAILABLE',
      `Computing on a GPU is not available yet (docs/cuda.md says what is there); this machine has ${describeGraphics(seenGraphics())}. Pass ` +
        'device "cpu" or "auto".',
    );
  }
  expectInput(device === 'auto' || device === 'cpu', 'device', '"auto" or "cpu"', device);
  if (attnImpl !== null && attnImpl !== 'sdpa' && attnImpl !== 'eager') {
    throw new AdaptiveTrainerError(
      'NOT_AVAILABLE',
      `attnImpl "${attnImpl}" is not available. Pass null, "sdpa" or "eager".`,
    );
  }
}
