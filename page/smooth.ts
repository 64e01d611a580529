import type { Column } from '../src/report/run-report.js';

/**
 * Exponential moving mean, corrected for its beginning as Adam's is, so that the first value is the first value. What is not
 * there stays away and counts for nothing.
 * @param keep share of the mean that each value keeps of those before it, 0 to less than 1
 */
export function smooth(values: Column, keep: number): Column {
  let mean = 0;
  let weight = 0;
  return values.map((value) => {
    if (value === null) return null;
    mean = keep * mean + (1 - keep) * value;
    weight = keep * weight + (1 - keep);
    return mean / weight;
  });
}
