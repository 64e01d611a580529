import { configPath } from '../read/config-path.js';
import type { ConfigReader } from '../read/config-reader.js';
import { isPlainObject } from '../../common/is-plain-object.js';
import type { DatasetLocation } from './dataset-plan.js';

const known = ['dataDir', 'contextMode', 'trainSplit', 'valSplit', 'dataFiles', 'name', 'revision'];

/** The settings of one dataset (`datasetsKwargs[name]`), in either spelling; what is wrong goes to `reader.faults`. */
export function readDatasetKwargs(
  reader: ConfigReader,
  value: unknown,
  path: string,
): { location: DatasetLocation; contextMode: string | boolean } {
  const given = reader.keys(value, path, known);
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
  };
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
