import { AdaptiveTrainerError } from '../../errors.js';
import type { DatasetFiles } from './dataset-files.js';
import type { DatasetLocation } from './dataset-plan.js';

/** What a validation split may be called, first choice first. `test` is the last one, as in the Python package. */
export const validationNames = ['validation', 'valid', 'val', 'dev', 'eval', 'test'];

/**
 * Takes the training and the validation files out of the splits of a dataset.
 *
 * @param splits files by split
 * @param place the dataset in words, for messages
 * @param onWarning told when a validation split that was asked for is not there
 * @throws AdaptiveTrainerError `DATASET_NOT_FOUND` when there is no split to train on
 */
export function chooseSplits(
  splits: ReadonlyMap<string, string[]>,
  { trainSplit, valSplit }: Pick<DatasetLocation, 'trainSplit' | 'valSplit'>,
  place: string,
  onWarning: (message: string) => void,
): DatasetFiles {
  const found = [...splits.keys()];
  const train = trainingFiles(splits, trainSplit);
  if (train === undefined) throw noSplit(place, trainSplit, found);
  if (valSplit === trainSplit) return { train, eval: undefined };
  const candidates = valSplit === 'validation' ? validationNames : [valSplit, 'test'];
  const chosen = candidates.find((candidate) => splits.has(candidate) && splits.get(candidate) !== train);
  if (valSplit !== 'validation' && chosen !== valSplit) {
    const instead = chosen === undefined ? '5% of the training rows are held out' : `"${chosen}" is taken`;
    onWarning(
      `There is no split "${valSplit}" in ${place} (found: ${found.join(', ')}); ${instead} instead.`,
    );
  }
  return { train, eval: chosen === undefined ? undefined : splits.get(chosen) };
}

/** The files to train on: those of the split, or in place of `train` those of the only one. */
export function trainingFiles(
  splits: ReadonlyMap<string, string[]>,
  trainSplit: string,
): string[] | undefined {
  return splits.get(trainSplit) ?? (trainSplit === 'train' ? onlySplit(splits) : undefined);
}

/** A single split that is not for validation: there is no doubt about what to train on. */
function onlySplit(splits: ReadonlyMap<string, string[]>): string[] | undefined {
  const candidates = [...splits].filter(([split]) => !validationNames.includes(split));
  return candidates.length === 1 ? candidates[0]?.[1] : undefined;
}

function noSplit(place: string, split: string, found: string[]): AdaptiveTrainerError {
  const there =
    found.length === 0
      ? 'no .jsonl, .json, .csv, .tsv, .parquet or .arrow file'
      : `only: ${found.join(', ')}`;
  return new AdaptiveTrainerError(
    'DATASET_NOT_FOUND',
    `Expected the split "${split}" in ${place} but found ${there}. Name the file ${split}.jsonl, or say what to train ` +
      `on with train_split or data_files in datasets_kwargs.`,
    { details: { path: place, split, found } },
  );
}
