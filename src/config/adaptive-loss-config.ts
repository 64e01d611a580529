import { z } from 'zod';
import { field } from './field.js';

/** The loss: `adaptiveLossConfig` of the one-call API. Every key is optional and may be written in snake_case. */
export const adaptiveLossConfigSchema = z.object({
  /** A wrong token is "outside" when it is not among the model's `topK` first choices; ideas rows train on those alone. Default 8. */
  topK: field.wholeNumber(1).default(8),
  /** Steps between two reports of the loss' counts since the run began. Default 100. */
  adaptiveLogSteps: field.wholeNumber(1).default(100),
  /** `adaptive` (default), or `ce` for plain cross-entropy. */
  loss: field.oneOf('adaptive', 'ce').default('adaptive'),
  /** Confidence curriculum: the threshold of the first step. Only null until it is available. */
  initialConfidence: z.null({ error: 'null or a number from 0 to 1' }).default(null),
  /** Confidence curriculum: the threshold after `curriculumEpochs`. Only null until it is available. */
  finalConfidence: z.null({ error: 'null or a number from 0 to 1' }).default(null),
  /** Confidence curriculum: its length in epochs. Only null until it is available. */
  curriculumEpochs: z.null({ error: 'null or a number greater than 0' }).default(null),
  /** Bound on the divergence from the base model. Only null until it is available. */
  maxKlDivergence: z.null({ error: 'null or a number, 0 or more' }).default(null),
});
