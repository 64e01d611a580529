import type { ColumnNames } from './column-names.js';
import type { DataProcessingFunction, InMemoryDataset } from './datasets-config.js';
import type { LearningStyle } from '../../events/learning-style.js';

/** Where in a dataset on disk or on the Hub the rows are. */
export interface DatasetLocation {
  /** `name` in `datasetsKwargs`: the configuration of a Hub dataset. */
  configName: string | null;
  /** Branch, tag or commit of a Hub dataset. */
  revision: string | null;
  dataDir: string | null;
  trainSplit: string;
  valSplit: string;
  dataFiles: Record<string, readonly string[]> | null;
}

/** Everything the configuration says about one dataset, looked up once. */
export interface DatasetPlan {
  /** Without `:|:K`. */
  name: string;
  /** What it is called in reports: its name, and where that is listed several times in a style what tells it from the others. */
  label: string;
  style: LearningStyle;
  /** Where in the configuration it stands, as the user spelled it: `datasetsConfig.ideas[0]`. */
  path: string;
  /** Rows in memory, or null for a dataset on disk or on the Hub, which `name` then names. */
  memory: InMemoryDataset | null;
  location: DatasetLocation;
  /** K: how many training rows to keep. */
  limit: number | null;
  /** Null: the built-in recognition of columns. */
  process: DataProcessingFunction | null;
  contextMode: string | boolean;
  /** What its columns are; null: they are recognised by their names. */
  columns: ColumnNames | null;
  /** What a row that cannot be used does: end the run, or be left out and counted. */
  onBadRow: 'stop' | 'skip';
  /** Empty: none. */
  systemPrompt: string;
}
