import * as z from 'zod';
import { field } from './field.js';

/** The loss: `adaptiveLossConfig` of the one-call API. Every key is optional and may be written in snake_case. */
export const adaptiveLossConfigSchema = z.object({
  /** A wrong token is "outside" when it is not among the model's `topK` first choices; ideas rows train on those alone. Default 8. */
  topK: field.wholeNumber(1).default(8),
  /** Steps between two reports of the loss' counts since the run began. Default 100. */
  adaptiveLogSteps: field.wholeNumber(1).default(100),
  /**
   * `adaptive` (default); `ce`, plain cross-entropy; `dft`, each token's cross-entropy times its probability; `eaft`, times
   * the entropy of the model's `topK` first choices (20 in its paper) as a share of the greatest it could be.
   */
  loss: field.oneOf('adaptive', 'ce', 'dft', 'eaft').default('adaptive'),
  /** A first choice counts as correct only from this probability on, at the start of the run. Default null: always. */
  initialConfidence: field.number(0, 1).nullable().default(null),
  /** That probability after `curriculumEpochs`, reached evenly. Default null: it stays `initialConfidence`. */
  finalConfidence: field.number(0, 1).nullable().default(null),
  /** Epochs over which the probability moves; goes with `finalConfidence`. Default null. */
  curriculumEpochs: field.numberAbove(0).nullable().default(null),
  /**
   * Bound on forgetting: the mean KL(base ‖ model) per token, in nats, that the run is to end below. The weight of `retention`
   * follows from it, and `retention` is `auto` where it is not given. Default null: none.
   */
  maxKlDivergence: field.numberAbove(0).nullable().default(null),
});
