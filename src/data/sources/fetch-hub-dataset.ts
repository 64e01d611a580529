import type { DatasetFiles } from '../../config/datasets/dataset-files.js';
import type { DatasetLocation } from '../../config/datasets/dataset-plan.js';

/** Brings the files of a Hub dataset onto this disk, those of the splits that `location` names. */
export type FetchHubDataset = (
  id: string,
  location: DatasetLocation,
  /** Told when a validation split that was asked for is not there. */
  onWarning: (message: string) => void,
) => Promise<DatasetFiles>;
