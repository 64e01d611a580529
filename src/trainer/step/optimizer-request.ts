import type { TrainingConfig } from '../../config/schema/parsed-config.js';
import type { OptimizerRequest } from '../../engine/addon.js';

const names: Record<TrainingConfig['optimizer'], OptimizerRequest['name']> = {
  adamw: 'adamw',
  adamw_torch: 'adamw',
  adamw_torch_fused: 'adamw',
  adamw_8bit: 'adamw_8bit',
  adamw_bnb_8bit: 'adamw_8bit',
  // Pages are for the memory of a GPU; a CPU has the states in host memory anyway.
  paged_adamw: 'adamw',
  paged_adamw_32bit: 'adamw',
  paged_adamw_8bit: 'adamw_8bit',
  sgd: 'sgd',
  adafactor: 'adafactor',
  lion: 'lion',
};

/** The optimizer that a configuration asks the engine for. */
export function optimizerRequest(args: TrainingConfig): OptimizerRequest {
  const {
    optimizer,
    adamBeta1: beta1,
    adamBeta2: beta2,
    adamEpsilon: eps,
    weightDecay,
    momentum,
    seed,
  } = args;
  return { name: names[optimizer], beta1, beta2, eps, weightDecay, momentum, seed };
}
