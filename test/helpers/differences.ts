type Numbers = ArrayLike<number>;

/** The largest |a − b|, and where. */
export function largestDifference(actual: Numbers, expected: Numbers): number {
  if (actual.length !== expected.length)
    throw new Error(`${actual.length} values compared with ${expected.length}`);
  let largest = 0;
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs(actual[i]! - expected[i]!);
    // Written so that a NaN counts as the largest difference of all.
    if (!(difference <= largest)) largest = Number.isNaN(difference) ? Infinity : difference;
  }
  return largest;
}

/** The largest |a − b| as a share of the largest |expected|. */
export function relativeToLargest(actual: Numbers, expected: Numbers): number {
  return largestDifference(actual, expected) / (largestOf(expected) || 1);
}

/**
 * `relativeToLargest`, but for a gradient that is zero and stands there as its rounding alone (below 1e-7): such as that of a
 * key's bias where no rope turns it, which adds the same to every score. That is compared as it is.
 */
export function gradientDifference(actual: Numbers, expected: Numbers): number {
  return largestOf(expected) < 1e-7
    ? largestDifference(actual, expected)
    : relativeToLargest(actual, expected);
}

function largestOf(values: Numbers): number {
  let largest = 0;
  for (let i = 0; i < values.length; i++) largest = Math.max(largest, Math.abs(values[i]!));
  return largest;
}
