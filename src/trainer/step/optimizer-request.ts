import type { TrainingConfig } from '../../config/schema/parsed-config.js';
import type { OptimizerRequest } from '../../engine/addon.js';

const names: Record<TrainingConfig['optimizer'], OptimizerRequest['name']> = {
  adamw: 'adamw',
  adamw_torch: 'adamw',
  adamw_torch_fused: 'adamw',
  adamw_8bit: 'adamw_8bit',
  adamw_bnb_8bit: 'adamw_8bit',
  // Pages are for the memory of a GPU (memory/paged-states.ts); a CPU has the states in main memory anyway.
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
  const { adamBeta1: beta1, adamBeta2: beta2, weightDecay, momentum, seed, zeroStage } = args;
  const name = names[args.optimizer];
  return {
    name,
    beta1,
    beta2,
    eps: args.adamEpsilon,
    weightDecay,
    momentum,
    seed,
    zeroStage,
    ...ownOf(name, args),
  };
}

/** What the optimizer of that name alone has. Defaults are those of PyTorch. */
function ownOf(name: OptimizerRequest['name'], args: TrainingConfig): Partial<OptimizerRequest> {
  const { optimArgs: own, adamBeta3: beta3, ademamixAlpha, ademamixWarmupSteps } = args;
  switch (name) {
    case 'sgd':
      return { sgd: { dampening: own.dampening ?? 0, nesterov: own.nesterov ?? false } };
    case 'adagrad':
      return { eps: own.eps ?? 1e-10, adagrad: { lrDecay: own.lrDecay ?? 0 } };
    case 'rmsprop':
      return {
        eps: own.eps ?? 1e-8,
        rmsprop: { alpha: own.alpha ?? 0.99, centered: own.centered ?? false },
      };
    case 'ademamix':
    case 'ademamix_8bit': {
      const alphaWarmup = own.tAlpha ?? ademamixWarmupSteps ?? 0;
      const beta3Warmup = own.tBeta3 ?? ademamixWarmupSteps ?? 0;
      return { ademamix: { beta3, alpha: ademamixAlpha, alphaWarmup, beta3Warmup } };
    }
    default:
      return {};
  }
}
