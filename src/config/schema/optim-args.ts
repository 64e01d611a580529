import * as z from 'zod';
import { field } from './field.js';

const decay = () => field.number(0, 1, { below: true }).optional();

/**
 * Settings of an optimizer under the names of transformers' `optim_args`; each belongs to certain optimizers. What has a key
 * of its own in the training configuration means that key.
 */
export const optimArgsSchema = z.object({
  /** sgd and rmsprop: the same as `momentum`. Default: what that says. */
  momentum: decay(),
  /** sgd, with a momentum: what is taken off the gradient that joins it, as a share; the first step is spared. Default 0. */
  dampening: field.number(0, 1).optional(),
  /** sgd, with a momentum and without dampening: Nesterov's. Default false. */
  nesterov: field.flag().optional(),
  /** adagrad: the rate of step t is divided by 1 + (t − 1) · this. Default 0. */
  lrDecay: field.number(0).optional(),
  /** rmsprop: decay rate of the mean of squared gradients; ademamix: the same as `ademamixAlpha`. Default: 0.99, and what that says. */
  alpha: field.number(0).optional(),
  /**
   * rmsprop and adagrad: added to the denominator; ademamix: the same as `adamEpsilon`. Default: 1e-8, 1e-10, and what that
   * says.
   */
  eps: field.number(0).optional(),
  /** rmsprop: divide by the deviation of gradients from their mean, which takes 4 bytes per weight. Default false. */
  centered: field.flag().optional(),
  /** ademamix: the same as `adamBeta1`. Default: what that says. */
  beta1: decay(),
  /** ademamix: the same as `adamBeta2`. Default: what that says. */
  beta2: decay(),
  /** ademamix: the same as `adamBeta3`. Default: what that says. */
  beta3: decay(),
  /** ademamix: steps over which `alpha` is reached. Default: `ademamixWarmupSteps`. */
  tAlpha: field.wholeNumber(1).optional(),
  /** ademamix: steps over which `beta3` is reached. Default: `ademamixWarmupSteps`. */
  tBeta3: field.wholeNumber(1).optional(),
  /** sgd, rmsprop and adagrad: without effect, since every weight has `weightDecay`, here as in transformers. Default: none. */
  weightDecay: field.number(0).optional(),
});

/** A setting of `optimArgs`. */
export type OptimArg = keyof z.output<typeof optimArgsSchema>;

/** A key of the training configuration that a setting of `optimArgs` may mean. */
export type OwnKey = 'momentum' | 'adamBeta1' | 'adamBeta2' | 'adamBeta3' | 'ademamixAlpha' | 'adamEpsilon';

type Reads = Readonly<Partial<Record<OptimArg, OwnKey | null>>>;

const sgd: Reads = { momentum: 'momentum', dampening: null, nesterov: null, weightDecay: null };
const rmsprop: Reads = { momentum: 'momentum', alpha: null, eps: null, centered: null, weightDecay: null };
const adagrad: Reads = { lrDecay: null, eps: null, weightDecay: null };
const ademamix: Reads = {
  beta1: 'adamBeta1',
  beta2: 'adamBeta2',
  beta3: 'adamBeta3',
  alpha: 'ademamixAlpha',
  eps: 'adamEpsilon',
  tAlpha: null,
  tBeta3: null,
};

/**
 * What an optimizer of that name reads of `optimArgs`, as transformers' trainer_optimizer.py has it: by setting, the key of the
 * training configuration that is the same, or null.
 */
export function optimArgsOf(optimizer: string): Reads {
  if (optimizer.includes('ademamix')) return ademamix;
  switch (optimizer) {
    case 'sgd':
      return sgd;
    case 'rmsprop':
      return rmsprop;
    case 'adagrad':
      return adagrad;
    default:
      return {};
  }
}
