import { configPath } from '../read/config-path.js';
import type { ConfigReader } from '../read/config-reader.js';
import { isPlainObject } from '../../common/is-plain-object.js';
import { columnUses, type ColumnNames, type ColumnUse } from './column-names.js';
import type { DatasetPlan, DatasetLocation } from './dataset-plan.js';
import type { DatasetKwargsInput } from './datasets-config.js';

const known: Record<keyof DatasetKwargsInput, true> = {
  name: true,
  revision: true,
  dataDir: true,
  dataFiles: true,
  trainSplit: true,
  valSplit: true,
  columns: true,
  onBadRow: true,
  contextMode: true,
};

/** What a dataset's settings say. */
export type DatasetKwargs = Pick<DatasetPlan, 'location' | 'contextMode' | 'columns' | 'onBadRow'>;

/** The settings of one dataset (`datasetsKwargs[name]`), in either spelling; what is wrong goes to `reader.faults`. */
export function readDatasetKwargs(reader: ConfigReader, value: unknown, path: string): DatasetKwargs {
  const given = reader.keys(value, path, Object.keys(known));
  const text = (key: string): string | null => {
    const entry = given.get(key);
    if (entry === undefined || entry.value === null) return null;
    if (typeof entry.value === 'string' && entry.value !== '') return entry.value;
    reader.unexpected(entry.path, 'a string', entry.value);
    return null;
  };
  const files = given.get('dataFiles');
  return {
    location: {
      configName: text('name'),
      revision: text('revision'),
      dataDir: text('dataDir'),
      trainSplit: text('trainSplit') ?? 'train',
      valSplit: text('valSplit') ?? 'validation',
      dataFiles: files === undefined ? null : readDataFiles(reader, files.value, files.path),
    },
    contextMode: (given.get('contextMode')?.value ?? false) as string | boolean, // whatever it is, it passes through
    columns: readColumns(reader, given.get('columns')),
    onBadRow: readOnBadRow(reader, given.get('onBadRow')),
  };
}

type Given = { value: unknown; path: string } | undefined;

function readOnBadRow(reader: ConfigReader, given: Given): 'stop' | 'skip' {
  if (given === undefined || given.value === null) return 'stop';
  if (given.value === 'stop' || given.value === 'skip') return given.value;
  reader.unexpected(given.path, '"stop" or "skip"', given.value);
  return 'stop';
}

/** `{ user, assistant, system, … }`: at least what a chat or a text is made of. */
function readColumns(reader: ConfigReader, given: Given): ColumnNames | null {
  if (given === undefined || given.value === null) return null;
  const columns: ColumnNames = {};
  for (const [use, { value, path }] of reader.keys(given.value, given.path, columnUses)) {
    if (typeof value === 'string' && value !== '') columns[use as ColumnUse] = value;
    else if (value !== null) reader.unexpected(path, 'the name of a column', value);
  }
  const isPair = columns.user !== undefined && columns.assistant !== undefined;
  const ways = [isPair, columns.messages !== undefined, columns.text !== undefined];
  if (isPlainObject(given.value) && ways.filter(Boolean).length !== 1) {
    const expected = 'either "user" and "assistant", or "messages", or "text"';
    reader.unexpected(given.path, `${expected} among the columns`, given.value);
  }
  return columns;
}

/** One name, a list of names, or either by split. */
function readDataFiles(reader: ConfigReader, value: unknown, path: string): DatasetLocation['dataFiles'] {
  if (value === null) return null;
  const bySplit = isPlainObject(value) ? value : { train: value };
  const result: Record<string, string[]> = {};
  for (const [split, files] of Object.entries(bySplit)) {
    const list: unknown[] = Array.isArray(files) ? files : [files];
    if (list.length > 0 && list.every((file) => typeof file === 'string' && file !== '')) {
      result[split] = list as string[];
    } else {
      const at = isPlainObject(value) ? configPath(path, split) : path;
      reader.unexpected(at, 'a file name, a list of them, or either by split', files);
    }
  }
  return result;
}
