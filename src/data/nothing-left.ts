import type { DatasetPlan } from '../config/datasets/dataset-plan.js';
import { AdaptiveTrainerError } from '../errors.js';
import type { EncodedSplit } from './tokens/encode-split.js';

/** The error for a dataset of which no row can be trained on: why not, and what would change that. */
export function nothingLeft(
  plan: DatasetPlan,
  rows: EncodedSplit,
  maxLengthToken: number,
): AdaptiveTrainerError {
  const { read, tooLong, noTrainedToken, skipped, bad, badRows } = rows;
  const [first] = badRows;
  const advice = [
    tooLong > 0 && `raise maxLengthToken (max_length_token), ${shortest(rows)} for the shortest row`,
    noTrainedToken > 0 && 'give rows an assistant answer',
    skipped > 0 && 'let the processing function return more rows',
    first !== undefined &&
      `mend the rows that cannot be used, the first of them ${first.where}: ${first.reason}`,
    read === 0 && 'give it rows',
  ].filter((line) => line !== false);
  const parts = [
    `${tooLong} have more than ${maxLengthToken} tokens`,
    `${noTrainedToken} have no token to train`,
    `${skipped} were skipped by the processing function`,
    ...(bad > 0 ? [`${bad} cannot be used`] : []),
  ];
  return new AdaptiveTrainerError(
    'DATASET_INVALID',
    `Expected rows to train on in dataset "${plan.name}" (${plan.path}) but none is left: of ${read} read, ` +
      `${parts.slice(0, -1).join(', ')}, and ${parts.at(-1)}. To change that: ` +
      `${advice.join('; ').replace(/\.$/, '')}; or remove the dataset.`,
    {
      details: {
        dataset: plan.name,
        style: plan.style,
        read,
        tooLong,
        noTrainedToken,
        skipped,
        bad,
        badRows,
        maxLengthToken,
      },
    },
  );
}

function shortest({ shortestTooLong, leastTooLong }: EncodedSplit): string {
  const isKnown = (shortestTooLong ?? Infinity) <= (leastTooLong ?? Infinity);
  return isKnown ? String(shortestTooLong) : `more than ${leastTooLong}`;
}
