import * as z from 'zod';

/**
 * Builders for the values of a configuration. Each gives its schema one message, "what is expected", which the
 * reader completes with the path and with what was received; so every issue zod finds in one value reads the same.
 */
export const field = {
  /** A whole number from `least` to `most`. */
  wholeNumber(least: number, most = Number.MAX_SAFE_INTEGER) {
    const range = most === Number.MAX_SAFE_INTEGER ? `, ${least} or more` : ` from ${least} to ${most}`;
    const error = `a whole number${range}`;
    return z.number({ error }).int({ error }).min(least, { error }).max(most, { error });
  },

  /** A finite number from `least` to `most`, or less than `most` where `below` is set. */
  number(least: number, most = Infinity, { below = false } = {}) {
    const end = below ? `to less than ${most}` : `to ${most}`;
    const error = most === Infinity ? `a number, ${least} or more` : `a number from ${least} ${end}`;
    const schema = z.number({ error }).min(least, { error });
    return below ? schema.lt(most, { error }) : schema.max(most, { error });
  },

  /** A whole number of steps, 0 or more, or a share of them below 1. */
  stepsOrShare() {
    const error = 'a whole number, 0 or more, or a number from 0 to less than 1';
    const isSteps = (value: number) => value >= 0 && (value < 1 || Number.isSafeInteger(value));
    return z.number({ error }).refine(isSteps, { error });
  },

  /** A finite number greater than `bound`. */
  numberAbove(bound: number) {
    const error = `a number greater than ${bound}`;
    return z.number({ error }).gt(bound, { error });
  },

  /** A number greater than 0, at most 1. */
  shareAbove0() {
    const error = 'a number greater than 0, at most 1';
    return z.number({ error }).gt(0, { error }).max(1, { error });
  },

  /** A list that is not empty. */
  list<Item extends z.ZodType>(item: Item) {
    const error = 'a list that is not empty';
    return z.array(item, { error }).min(1, { error });
  },

  /** true or false. */
  flag() {
    return z.boolean({ error: 'true or false' });
  },

  /** A string that is not empty. */
  text() {
    const error = 'a string that is not empty';
    return z.string({ error }).min(1, { error });
  },

  /** One of a few strings. */
  oneOf<const Values extends readonly [string, ...string[]]>(...values: Values) {
    return z.enum(values, { error: listed(values) });
  },
};

function listed(values: readonly string[]): string {
  const quoted = values.map((value) => JSON.stringify(value));
  return quoted.length === 1 ? quoted[0]! : `${quoted.slice(0, -1).join(', ')} or ${quoted.at(-1)}`;
}
