import type { ColumnNames } from './column-names.js';
import type { LearningStyle } from '../../events/learning-style.js';
import type { ProcessedRow } from '../../events/processed-row.js';

/** Rows given in memory in place of a path. */
export interface InMemoryDataset {
  /** For the report, and to look up settings; `name:|:K` works here too. */
  name: string;
  train: readonly unknown[];
  /** Absent: 5% of `train` is held out. Empty: nothing is evaluated. */
  eval?: readonly unknown[] | null;
}

/** A path, a path with `:|:K`, or rows in memory. */
export type DatasetEntry = string | InMemoryDataset;

/**
 * Turns one sample of a dataset into what the user says and what the assistant answers, into a whole chat, or into
 * null to skip it. `contextMode` is the dataset's `contextMode` setting, whatever that is; the values `ideas` and
 * `attention` arrive as "is this dataset learned in that style".
 */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- both are whatever the user's dataset and settings hold
export type DataProcessingFunction = (sample: any, contextMode: any) => ProcessedRow | Promise<ProcessedRow>;

/** A function, or where it is: `./rows.mjs#toPair`, an export of a JavaScript module. */
type FunctionOrNull = DataProcessingFunction | string | null | undefined;

/**
 * Which datasets to train on, listed by how each is learned, and how their rows are read. An entry is a path
 * (`rows.jsonl:|:500` takes 500 rows) or rows in memory. Null as the function of one dataset asks for the built-in
 * recognition of columns; absent, the function of its style or the one for all is used. `datasets_config` of the
 * Python package works as it is.
 */
export type DatasetsConfigInput = { [Style in LearningStyle]?: readonly DatasetEntry[] | null } & {
  /** For every dataset that has none of its own and none by its style. */
  dataProcessingFunction?: FunctionOrNull;
  data_processing_function?: FunctionOrNull;
  /** By dataset name (with or without its `:|:K`) or by style. */
  dataProcessingFunctions?: Readonly<Record<string, FunctionOrNull>>;
  data_processing_functions?: Readonly<Record<string, FunctionOrNull>>;
} & {
  [Key in `dataProcessingFunction${Capitalize<LearningStyle>}`]?: FunctionOrNull;
} & {
  [key: `data_processing_function_${string}` | `dataProcessingFunction_${string}`]: FunctionOrNull;
};

/** The same once it has been checked. It stays as the user wrote it: `DatasetMixer` takes both spellings. */
export type DatasetsConfig = DatasetsConfigInput;

type FileNames = string | readonly string[];
type FilesOrBySplit = FileNames | Readonly<Record<string, FileNames>>;

/** The settings of one dataset as a user writes them. */
export interface DatasetKwargsInput {
  /** Configuration of a Hub dataset that has several, as in `load_dataset(id, name)`. */
  name?: string | null;
  /** Branch, tag or commit of a Hub dataset. Default `main`. */
  revision?: string | null;
  /** Folder inside the dataset's folder that holds its files. */
  dataDir?: string | null;
  data_dir?: string | null;
  /** Files of the dataset, where their names do not tell their splits. */
  dataFiles?: FilesOrBySplit | null;
  data_files?: FilesOrBySplit | null;
  /** Which column is what, where their names do not tell: `{ user: 'ask', assistant: 'reply' }`. */
  columns?: ColumnNames | null;
  /** A row that cannot be used: `stop` (default) ends the run, `skip` leaves it out, counts and lists it. */
  onBadRow?: 'stop' | 'skip' | null;
  on_bad_row?: 'stop' | 'skip' | null;
  /** Handed to the data processing function. */
  contextMode?: unknown;
  context_mode?: unknown;
  /** Name of the split to train on. Default `train`. */
  trainSplit?: string | null;
  train_split?: string | null;
  /** Name of the split to evaluate on. Default `validation`. */
  valSplit?: string | null;
  val_split?: string | null;
}
