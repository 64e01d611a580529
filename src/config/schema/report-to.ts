import { z } from 'zod';
import type { Tracker } from '../../events/tracker.js';

const names = ['jsonl', 'wandb', 'tensorboard'] as const;
/** `metrics.jsonl` is always written, so `jsonl` and `none` add nothing. */
export type ReportTarget = (typeof names)[number] | Tracker;

const error =
  '"jsonl", "wandb", "tensorboard", "all", "none", a tracker (an object with the functions onEvent and close) or a list of these';

const tracker = z.custom<Tracker>(
  (value) =>
    typeof value === 'object' &&
    value !== null &&
    typeof (value as Partial<Tracker>).onEvent === 'function' &&
    typeof (value as Partial<Tracker>).close === 'function',
  { error },
);
const one = z.union([z.enum([...names, 'all', 'none']), tracker], { error });

/** `reportTo`: one target or several; a list of them once it is read. */
export const reportToSchema = z
  .union([one, z.array(one)], { error })
  .nullable()
  .default(null)
  .transform((given): ReportTarget[] | null => {
    if (given === null) return null;
    const asked = Array.isArray(given) ? given : [given];
    return [...new Set(asked.flatMap((target) => expand(target)))];
  });

function expand(target: z.infer<typeof one>): ReportTarget[] {
  if (target === 'none') return [];
  return target === 'all' ? [...names] : [target];
}
