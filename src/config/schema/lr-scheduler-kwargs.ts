import * as z from 'zod';
import { field } from './field.js';

const shape = () => field.oneOf('linear', 'cosine', '1-sqrt').optional();

/** Settings of a learning-rate schedule under the names of transformers; each belongs to certain schedules. */
export const lrSchedulerKwargsSchema = z.object({
  /** cosine and cosine_with_min_lr: waves, 0.5 being one descent; cosine_with_restarts: descents. Default: 0.5, and 1 with restarts. */
  numCycles: field.numberAbove(0).optional(),
  /** polynomial: the exponent. Default 1. */
  power: field.numberAbove(0).optional(),
  /** polynomial: the last rate, below `learningRate`. Default 1e-7. */
  lrEnd: field.number(0).optional(),
  /** cosine_with_min_lr, where it excludes `minLrRate`, and reduce_lr_on_plateau: the lowest rate. Default: none. */
  minLr: field.number(0).optional(),
  /** cosine_with_min_lr: the lowest rate as a share of the highest. Default: none. */
  minLrRate: field.number(0, 1).optional(),
  /** inverse_sqrt: steps after which the rate would be 1/√2 of its highest. Default: `warmupSteps`, or 10,000 without. */
  timescale: field.numberAbove(0).optional(),
  /** warmup_stable_decay: steps of the decay. Default: a tenth of the run. */
  numDecaySteps: field.wholeNumber(0).optional(),
  /** warmup_stable_decay: steps at the highest rate. Default: what warm-up and decay leave of the run. */
  numStableSteps: field.wholeNumber(0).optional(),
  /** warmup_stable_decay: how the rate rises. Default `linear`. */
  warmupType: shape(),
  /** warmup_stable_decay: how the rate falls. Default `cosine`. */
  decayType: shape(),
  /** warmup_stable_decay: where the rate begins and ends, as a share of the highest. Default 0. */
  minLrRatio: field.number(0, 1).optional(),
  /** reduce_lr_on_plateau: whether less or more of `metricForBestModel` is better. Default: by `greaterIsBetter`. */
  mode: field.oneOf('min', 'max').optional(),
  /** reduce_lr_on_plateau: what the rate is multiplied with. Default 0.1. */
  factor: field.number(0, 1, { below: true }).optional(),
  /** reduce_lr_on_plateau: evaluations without a better one that are put up with. Default 10. */
  patience: field.wholeNumber(0).optional(),
  /** reduce_lr_on_plateau: what counts as better, as a share of the best or a difference to it. Default 1e-4. */
  threshold: field.number(0).optional(),
  /** reduce_lr_on_plateau: whether `threshold` is a share or a difference. Default `rel`. */
  thresholdMode: field.oneOf('rel', 'abs').optional(),
  /** reduce_lr_on_plateau: evaluations after a fall that are not counted. Default 0. */
  cooldown: field.wholeNumber(0).optional(),
  /** reduce_lr_on_plateau: the least fall that is made. Default 1e-8. */
  eps: field.number(0).optional(),
});
