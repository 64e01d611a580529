import * as z from 'zod';
import type { Tracker } from '../../events/tracker.js';

const error =
  '"jsonl", "wandb", "tensorboard", "all", "none", a tracker (an object with the functions onEvent and close) or a list of these';

/** A tracker of the user's own. */
export const trackerSchema = z.custom<Tracker>(
  (value) =>
    typeof value === 'object' &&
    value !== null &&
    typeof (value as Partial<Tracker>).onEvent === 'function' &&
    typeof (value as Partial<Tracker>).close === 'function',
  { error },
);
const target = z.union([z.enum(['jsonl', 'wandb', 'tensorboard', 'all', 'none']), trackerSchema], { error });

/** `reportTo`: one target or several. */
export const reportToSchema = z
  .union([target, z.array(target)], { error })
  .nullable()
  .default(null);
