import type { AdaptiveTrainerError } from '../../errors.js';
import type { DatasetFiles } from '../../config/datasets/dataset-files.js';

/** One row of a dataset and where it stands. */
export interface Sample {
  value: unknown;
  /** 0-based, over all files of the split. */
  index: number;
  /** `row 12 (rows.jsonl line 13)` */
  where: string;
  /** How much of the split has been read, about, from 0 to 1. */
  done: number;
  /** Why its row could not be read. */
  fault?: AdaptiveTrainerError;
  /** Whether a null stands for a member that is not there, as in files that are made from Arrow. */
  nullIsAbsent?: boolean;
}

/** The rows of one dataset; each call reads them from the start. */
export interface DatasetSource {
  train: () => AsyncIterable<Sample>;
  /** Undefined: there is no validation split, so rows of `train` are to be held out. */
  eval: (() => AsyncIterable<Sample>) | undefined;
  /** Where the rows are read from; undefined for rows in memory. */
  files: DatasetFiles | undefined;
}
