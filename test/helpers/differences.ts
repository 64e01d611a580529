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
  let scale = 0;
  for (let i = 0; i < expected.length; i++) scale = Math.max(scale, Math.abs(expected[i]!));
  return largestDifference(actual, expected) / (scale || 1);
}
