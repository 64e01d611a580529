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
  rmsprop: 'rmsprop',
  adagrad: 'adagrad',
  lion: 'lion',
  lion_32bit: 'lion',
  paged_lion: 'lion',
  paged_lion_32bit: 'lion',
  lion_8bit: 'lion_8bit',
  paged_lion_8bit: 'lion_8bit',
  ademamix: 'ademamix',
  paged_ademamix: 'ademamix',
  paged_ademamix_32bit: 'ademamix',
  ademamix_8bit: 'ademamix_8bit',
  paged_ademamix_8bit: 'ademamix_8bit',
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
    zeroStage,
  } = args;
  const name = names[optimizer];
  const request = { name, beta1, beta2, eps, weightDecay, momentum, seed, zeroStage };
  if (!name.startsWith('ademamix')) return request;
  const { adamBeta3: beta3, ademamixAlpha: alpha, ademamixWarmupSteps: warmup } = args;
  return { ...request, mix: { beta3, alpha, warmup: warmup ?? 0 } };
}
