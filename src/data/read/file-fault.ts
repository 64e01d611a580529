import { AdaptiveTrainerError } from '../../errors.js';

/** A place in a text file, both counted from 1. */
export interface TextPlace {
  line: number;
  column: number;
}

/**
 * The error for a text file that is not what it should be, with the place and an excerpt around it.
 *
 * @param text the line at fault, as far as it is known
 * @param advice what to do: a sentence
 */
export function fileFault(
  path: string,
  { line, column }: TextPlace,
  expected: string,
  found: string,
  text: string,
  advice: string,
  cause?: unknown,
): AdaptiveTrainerError {
  const from = Math.max(0, column - 31);
  const part = text.slice(from, column + 29);
  const excerpt = `${from > 0 ? '…' : ''}${part}${column + 29 < text.length ? '…' : ''}`;
  return new AdaptiveTrainerError(
    'DATASET_INVALID',
    `Expected ${expected} in ${path}, line ${line}, column ${column}, but found ${found}: ${JSON.stringify(excerpt)}. ${advice}`,
    { details: { path, line, column, excerpt }, cause },
  );
}
