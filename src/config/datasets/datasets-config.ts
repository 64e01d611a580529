import type { ColumnNames } from './column-names.js';
import type { ProcessedRow } from '../../events/processed-row.js';

/** Rows given in memory in place of a path. */
export interface InMemoryDataset {
  /** For the report, and to look up settings; `name:|:K` works here too. */
  name: string;
  train: readonly unknown[];
  /** Absent: 5% of `train` is held out. Empty: nothing is evaluated. */
  eval?: readonly unknown[] | null;
}

/**
 * A dataset with its settings beside it, in place of an entry of `datasetsKwargs`: for one that is listed several times,
 * each with a split or configuration of its own.
 */
export interface DatasetWithSettings extends DatasetKwargsInput {
  /** A path or a name on the Hub, with or without `:|:K`. */
  dataset: string;
}

/** A path, a path with `:|:K`, one with its settings, or rows in memory. */
export type DatasetEntry = string | DatasetWithSettings | InMemoryDataset;

/**
 * Turns one sample of a dataset into what the user says and what the assistant answers, into a whole chat, or into
 * null to skip it. `contextMode` is the dataset's `contextMode` setting, whatever that is; the values `ideas` and
 * `attention` arrive as "is this dataset learned in that style".
 */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- both are whatever the user's dataset and settings hold
export type DataProcessingFunction = (sample: any, contextMode: any) => ProcessedRow | Promise<ProcessedRow>;

/**
 * Which datasets to train on, listed by how each is learned, and how their rows are read. An entry is a path or a name on
 * the Hub (`rows.jsonl:|:500` takes 500 rows), or rows in memory. A function may also be named by where it is:
 * `./rows.mjs#toPair`, an export of a JavaScript module.
 */
export interface DatasetsConfigInput {
  /** Datasets whose ideas are to be learned: tokens are trained whose answer is not among the model's first `topK`. Default: none. */
  ideas?: readonly DatasetEntry[] | null | undefined;
  /** Datasets to be learned exactly: every token is trained that the model would get wrong. Default: none. */
  attention?: readonly DatasetEntry[] | null | undefined;
  /** Datasets that are learned in both ways. Default: none. */
  both?: readonly DatasetEntry[] | null | undefined;
  /** Datasets that share in the common loss alone. Default: none. */
  misc?: readonly DatasetEntry[] | null | undefined;
  /** Reads the rows of every dataset that has no function of its own and none by its style. Default: known columns are recognised. */
  dataProcessingFunction?: DataProcessingFunction | string | null | undefined;
  /** Functions by dataset name (with or without its `:|:K`) or by style; null: known columns are recognised. Default: none. */
  dataProcessingFunctions?: Readonly<Record<string, DataProcessingFunction | string | null>> | undefined;
  /** For the datasets under `ideas`. Default: `dataProcessingFunction`. */
  dataProcessingFunctionIdeas?: DataProcessingFunction | string | null | undefined;
  /** For the datasets under `attention`. Default: `dataProcessingFunction`. */
  dataProcessingFunctionAttention?: DataProcessingFunction | string | null | undefined;
  /** For the datasets under `both`. Default: `dataProcessingFunction`. */
  dataProcessingFunctionBoth?: DataProcessingFunction | string | null | undefined;
  /** For the datasets under `misc`. Default: `dataProcessingFunction`. */
  dataProcessingFunctionMisc?: DataProcessingFunction | string | null | undefined;
  /** For the dataset whose name follows. */
  [key: `dataProcessingFunction_${string}`]: DataProcessingFunction | string | null | undefined;
}

/** One file, several, or either by split. */
export type FilesOrBySplit =
  string | readonly string[] | Readonly<Record<string, string | readonly string[]>>;

/** The settings of one dataset. */
export interface DatasetKwargsInput {
  /** Configuration of a Hub dataset that has several, as in `load_dataset(id, name)`. Default: the only one. */
  name?: string | null | undefined;
  /** Branch, tag or commit of a Hub dataset. Default `main`. */
  revision?: string | null | undefined;
  /** Folder inside the dataset's folder that holds its files. Default: the dataset's folder. */
  dataDir?: string | null | undefined;
  /** Files of the dataset, where their names do not tell their splits. Default: by their names. */
  dataFiles?: FilesOrBySplit | null | undefined;
  /** Which column is what, where their names do not tell: `{ user: 'ask', assistant: 'reply' }`. Default: by their names. */
  columns?: ColumnNames | null | undefined;
  /** A row that cannot be used: `stop` (default) ends the run, `skip` leaves it out, counts and lists it. */
  onBadRow?: 'stop' | 'skip' | null | undefined;
  /** Handed to the data processing function; see there. Default false. */
  contextMode?: unknown;
  /** Name of the split to train on. Default `train`. */
  trainSplit?: string | null | undefined;
  /** Name of the split to evaluate on. Default `validation`. */
  valSplit?: string | null | undefined;
}

/** The tables that say more about datasets than their list does. */
export interface DatasetTables {
  systemPrompts?: Readonly<Record<string, string | null | undefined>> | null | undefined;
  datasetsKwargs?: Readonly<Record<string, unknown>> | null | undefined;
  datasetSpecificSystemPrompts?: Readonly<Record<string, string | null | undefined>> | null | undefined;
}
