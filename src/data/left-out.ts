import { format } from '../common/format.js';

/** What was left out of a dataset, why, in words; none where nothing was. */
export function leftOut(
  counts: { tooLong: number; noTrainedToken: number; skipped: number; bad: number },
  maxLengthToken: number,
): string[] {
  const { tooLong, noTrainedToken, skipped, bad } = counts;
  const parts: [number, string][] = [
    [tooLong, `with more than ${format.count(maxLengthToken)} tokens`],
    [noTrainedToken, 'without a trained token'],
    [skipped, 'skipped by the processing function'],
    [bad, 'that could not be used'],
  ];
  return parts.filter(([count]) => count > 0).map(([count, why]) => `${format.count(count)} ${why}`);
}
