import { AdaptiveTrainerError } from '../errors.js';
import { openDevice } from '../engine/device/open-device.js';
import { readLaunch } from '../ranks/launch.js';
import { expectInput } from '../common/expect-input.js';
import type { FromPretrainedOptions } from './from-pretrained-options.js';
import { checkQuantization } from './quantization/quantization.js';

/** @throws AdaptiveTrainerError INVALID_INPUT; LAUNCH_INVALID; DEVICE_NOT_AVAILABLE for a GPU that cannot be computed on; NOT_AVAILABLE for what is known and not built */
export function checkOpenOptions({
  device = 'auto',
  dtype = 'float32',
  attnImpl = null,
  quantization,
}: FromPretrainedOptions): void {
  if (quantization !== undefined) checkQuantization(quantization);
  expectInput(dtype === 'float32' || dtype === 'bfloat16', 'dtype', '"float32" or "bfloat16"', dtype);
  expectInput(
    /^(auto|cpu|cuda(:\d{1,3})?)$/.test(device),
    'device',
    '"auto", "cpu", "cuda" or "cuda:<index>"',
    device,
  );
  // Before a model is fetched for a GPU that is not there.
  if (device.startsWith('cuda')) openDevice(device, readLaunch);
  if (attnImpl !== null && attnImpl !== 'sdpa' && attnImpl !== 'eager') {
    throw new AdaptiveTrainerError(
      'NOT_AVAILABLE',
      `attnImpl "${attnImpl}" is not available. Pass null, "sdpa" or "eager".`,
    );
  }
}
