import { parse } from 'yaml';
import { isPlainObject } from '../../common/is-plain-object.js';

/** One configuration of a dataset, as the front matter of its README.md declares it. */
export interface DatasetConfig {
  name: string;
  isDefault: boolean;
  /** Patterns by split; undefined: found by the names of the files. */
  dataFiles: Map<string, string[]> | undefined;
  dataDir: string | undefined;
}

/**
 * The configurations that a dataset's README.md declares. Where they cannot be read, none, and a warning says so.
 * @param readme undefined: there is none
 * @param dataset in words, for the warning
 */
export function readConfigs(
  readme: string | undefined,
  dataset: string,
  onWarning: ((message: string) => void) | undefined,
): DatasetConfig[] {
  try {
    return datasetConfigs(readme ?? '');
  } catch (error) {
    onWarning?.(
      `The README.md of the dataset ${dataset} declares its files in a way that cannot be read ` +
        `(${(error as Error).message.split('\n')[0]}); they are found by their names instead.`,
    );
    return [];
  }
}

/**
 * The configurations that a dataset's README.md declares; none where it declares none.
 * @throws Error when the front matter is no YAML or its `configs` are not what they should be
 */
function datasetConfigs(readme: string): DatasetConfig[] {
  const { configs } = frontMatter(readme);
  if (configs === undefined || configs === null) return [];
  if (!Array.isArray(configs)) throw new Error('"configs" is no list');
  return configs.map((config: unknown): DatasetConfig => {
    if (!isPlainObject(config)) throw new Error('an entry of "configs" is no object');
    const { config_name: name, data_files: files, data_dir: dir } = config;
    return {
      name: typeof name === 'string' ? name : 'default',
      isDefault: config['default'] === true,
      dataFiles: files === undefined || files === null ? undefined : patternsBySplit(files),
      dataDir: typeof dir === 'string' ? dir : undefined,
    };
  });
}

/** What stands between the lines of three dashes that a README.md begins with. @throws Error where it is no YAML */
export function frontMatter(readme: string): Record<string, unknown> {
  const front = /^\uFEFF?---\r?\n([^]*?)\r?\n---(\r?\n|$)/.exec(readme)?.[1];
  const metadata: unknown = front === undefined ? undefined : parse(front);
  return isPlainObject(metadata) ? metadata : {};
}

/** `data_files` is a pattern, a list of them, a list of `{ split, path }`, or patterns by split. */
function patternsBySplit(files: unknown): Map<string, string[]> {
  if (isPlainObject(files))
    return new Map(Object.entries(files).map(([split, path]) => [split, texts(path)]));
  if (Array.isArray(files) && files.some(isPlainObject)) {
    return new Map(
      files.map((entry: unknown) => {
        if (!isPlainObject(entry) || typeof entry['split'] !== 'string')
          throw new Error('a data file has no split');
        return [entry['split'], texts(entry['path'])];
      }),
    );
  }
  return new Map([['train', texts(files)]]);
}

function texts(value: unknown): string[] {
  const list: unknown[] = Array.isArray(value) ? value : [value];
  if (list.every((one) => typeof one === 'string')) return list as string[];
  throw new Error('the name of a data file is no text');
}
