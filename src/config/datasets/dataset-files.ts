/** The files of a dataset on disk. */
export interface DatasetFiles {
  train: string[];
  /** Undefined: none, so rows of `train` are to be held out. */
  eval: string[] | undefined;
}
