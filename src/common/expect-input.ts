import { describeValue } from './describe-value.js';
import { AdaptiveTrainerError } from '../errors.js';

/** Throws INVALID_INPUT naming the argument, what was expected and what was found, unless `holds`. */
export function expectInput(
  holds: boolean,
  argument: string,
  expected: string,
  found: unknown,
): asserts holds {
  if (holds) return;
  throw new AdaptiveTrainerError(
    'INVALID_INPUT',
    `Expected ${expected} for ${argument}, found ${describeValue(found)}.`,
    { details: { argument, expected, found } },
  );
}
