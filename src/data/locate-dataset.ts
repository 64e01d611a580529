import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { AdaptiveTrainerError } from '../errors.js';
import type { DatasetPlan } from './dataset-plan.js';

/** The files of a dataset on disk. */
export interface DatasetFiles {
  train: string[];
  /** Undefined: none, so rows of `train` are to be held out. */
  eval: string[] | undefined;
}

const extensions = ['.jsonl', '.json', '.ndjson'];
// What a validation split may be called, first choice first. `test` is the last one, as in the Python package.
const validationNames = ['validation', 'valid', 'val', 'dev', 'eval', 'test'];

/**
 * Finds the files of a dataset: the file it names, or in the folder it names one file per split (`train.jsonl`,
 * `validation.jsonl`; also in parts, `train-00000-of-00002.jsonl`).
 *
 * @param onWarning told when a validation split that was asked for is not there
 * @throws AdaptiveTrainerError `DATASET_NOT_FOUND`; `NOT_AVAILABLE` for the name of a dataset on the Hub;
 * `DATASET_INVALID` for a file of another kind
 */
export async function locateDataset(
  plan: DatasetPlan,
  onWarning: (message: string) => void,
): Promise<DatasetFiles> {
  const kind = await kindOf(plan.name);
  if (kind === undefined) throw notThere(plan);
  return kind === 'file' ? singleFile(plan) : inFolder(plan, onWarning);
}

function singleFile({ name, path, location }: DatasetPlan): DatasetFiles {
  if (!extensions.includes(extname(name).toLowerCase())) {
    throw new AdaptiveTrainerError(
      'DATASET_INVALID',
      `Expected ${path} to be a .jsonl or .json file, or a folder of them, but ${resolve(name)} is neither. ` +
        `Convert it, one JSON object a line.`,
      { details: { path: resolve(name) } },
    );
  }
  const stem = basename(name, extname(name));
  if (location.dataDir !== null || location.dataFiles !== null) {
    throw new AdaptiveTrainerError(
      'DATASET_INVALID',
      `Expected no data_dir or data_files for ${path}, for ${resolve(name)} is a file. They are for folders; name the folder.`,
      { details: { path: resolve(name) } },
    );
  }
  if (!['train', stem].includes(location.trainSplit))
    throw noSplit(resolve(name), location.trainSplit, ['train']);
  return { train: [resolve(name)], eval: undefined };
}

async function inFolder(plan: DatasetPlan, onWarning: (message: string) => void): Promise<DatasetFiles> {
  const { name, location } = plan;
  const { trainSplit, valSplit } = location;
  const dir = resolve(name, location.dataDir ?? '.');
  const splits =
    location.dataFiles === null ? await splitsOf(dir) : await chosenFiles(dir, location.dataFiles);
  const found = [...splits.keys()];
  const train = splits.get(trainSplit) ?? (trainSplit === 'train' ? onlySplit(splits) : undefined);
  if (train === undefined) throw noSplit(dir, trainSplit, found);
  if (valSplit === trainSplit) return { train, eval: undefined };
  const candidates = valSplit === 'validation' ? validationNames : [valSplit, 'test'];
  const chosen = candidates.find((candidate) => splits.has(candidate) && splits.get(candidate) !== train);
  if (valSplit !== 'validation' && chosen !== valSplit) {
    const instead = chosen === undefined ? '5% of the training rows are held out' : `"${chosen}" is taken`;
    onWarning(`There is no split "${valSplit}" in ${dir} (found: ${found.join(', ')}); ${instead} instead.`);
  }
  return { train, eval: chosen === undefined ? undefined : splits.get(chosen) };
}

/** A folder with a single data file that is not for validation: there is no doubt about what to train on. */
function onlySplit(splits: Map<string, string[]>): string[] | undefined {
  const candidates = [...splits].filter(([split]) => !validationNames.includes(split));
  return candidates.length === 1 ? candidates[0]?.[1] : undefined;
}

async function splitsOf(dir: string): Promise<Map<string, string[]>> {
  const splits = new Map<string, string[]>();
  for (const file of await list(dir)) {
    if (!extensions.includes(extname(file).toLowerCase())) continue;
    const split = basename(file, extname(file)).replace(/-\d{5}-of-\d{5}$/, '');
    splits.set(split, [...(splits.get(split) ?? []), join(dir, file)]);
  }
  return splits;
}

async function chosenFiles(
  dir: string,
  dataFiles: Readonly<Record<string, readonly string[]>>,
): Promise<Map<string, string[]>> {
  const splits = new Map<string, string[]>();
  for (const [split, patterns] of Object.entries(dataFiles)) {
    const files: string[] = [];
    for (const pattern of patterns) files.push(...(await matching(dir, pattern)));
    splits.set(split, files);
  }
  return splits;
}

/** Files by name; `*` and `?` in the last part of the name stand for any characters and any one. */
async function matching(dir: string, pattern: string): Promise<string[]> {
  const path = resolve(dir, pattern);
  const [folder, last] = [dirname(path), basename(path)];
  const source = last
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  const files = /[*?]/.test(last)
    ? (await list(folder))
        .filter((file) => new RegExp(`^${source}$`, 's').test(file))
        .map((file) => join(folder, file))
    : (await kindOf(path)) === 'file'
      ? [path]
      : [];
  if (files.length > 0) return files;
  throw new AdaptiveTrainerError(
    'DATASET_NOT_FOUND',
    `Expected a file for data_files at ${path} but there is none.`,
    {
      details: { path },
    },
  );
}

async function list(dir: string): Promise<string[]> {
  try {
    return (await readdir(dir)).sort();
  } catch (cause) {
    throw new AdaptiveTrainerError(
      'DATASET_NOT_FOUND',
      `Expected a folder of data files at ${dir} but there is none.`,
      {
        details: { path: dir },
        cause,
      },
    );
  }
}

async function kindOf(path: string): Promise<'file' | 'folder' | undefined> {
  try {
    return (await stat(path)).isDirectory() ? 'folder' : 'file';
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ENAMETOOLONG') return undefined;
    throw new AdaptiveTrainerError('IO_FAILED', `Could not look at ${resolve(path)}: ${String(cause)}`, {
      details: { path: resolve(path) },
      cause,
    });
  }
}

function notThere({ name, path }: DatasetPlan): AdaptiveTrainerError {
  const looked = resolve(name);
  const details = { path: looked, dataset: name };
  const isHubId =
    /^[\w-][\w.-]*\/[\w-][\w.-]*$/.test(name) && !extensions.includes(extname(name).toLowerCase());
  if (isHubId) {
    return new AdaptiveTrainerError(
      'NOT_AVAILABLE',
      `Hub datasets are not available yet: download "${name}" (${path}) as .jsonl files and pass their path. ` +
        `(There is no file or folder ${looked} either.)`,
      { details },
    );
  }
  return new AdaptiveTrainerError(
    'DATASET_NOT_FOUND',
    `Expected a .jsonl or .json file, or a folder with train.jsonl, at ${looked} (${path}: "${name}") but there is ` +
      `nothing. Relative paths start at ${process.cwd()}.`,
    { details },
  );
}

function noSplit(place: string, split: string, found: string[]): AdaptiveTrainerError {
  const there = found.length === 0 ? 'no .jsonl or .json file' : `only: ${found.join(', ')}`;
  return new AdaptiveTrainerError(
    'DATASET_NOT_FOUND',
    `Expected the split "${split}" in ${place} but found ${there}. Name the file ${split}.jsonl, or say what to train ` +
      `on with train_split or data_files in datasets_kwargs.`,
    { details: { path: place, split, found } },
  );
}
