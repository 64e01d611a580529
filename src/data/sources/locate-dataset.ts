import { resolve } from 'node:path';
import { AdaptiveTrainerError } from '../../errors.js';
import { chooseSplits, trainingFiles } from '../../config/datasets/choose-splits.js';
import { dataFileKind } from '../../common/data-file-kind.js';
import { kindOfPath } from '../../common/kind-of-path.js';
import type { DatasetFiles } from '../../config/datasets/dataset-files.js';
import type { DatasetLocation, DatasetPlan } from '../../config/datasets/dataset-plan.js';
import type { FetchHubDataset } from './fetch-hub-dataset.js';
import { declaredSplits, repositorySplits } from './cloned-splits.js';
import { folderSplits } from './folder-splits.js';
import { matchingFiles } from './matching-files.js';
import { savedSplits } from './saved-splits.js';

// load_dataset('json', data_files=…): the files alone, without a dataset around them.
const builders = ['json', 'csv', 'parquet', 'arrow'];

/**
 * Finds the files of a dataset: the file it names, those a pattern stands for, the files of the splits in the folder it
 * names (see `splitsOf`), or those that `data_files` names.
 *
 * @param onWarning told when a validation split that was asked for is not there
 * @param fetchHub brings a dataset of the Hub onto this disk
 * @throws AdaptiveTrainerError `DATASET_NOT_FOUND`; `NOT_AVAILABLE` for the name of a dataset on the Hub without
 * `fetchHub`; `DATASET_INVALID` for a file of another kind or settings that do not apply
 */
export async function locateDataset(
  plan: DatasetPlan,
  onWarning: (message: string) => void,
  fetchHub?: FetchHubDataset,
): Promise<DatasetFiles> {
  const { name, location } = plan;
  const kind = await kindOfPath(name);
  if (kind === 'nothing' && builders.includes(name) && location.dataFiles !== null) {
    return inFolder({ ...plan, name: '.' }, onWarning);
  }
  if (kind === 'nothing' && /[*?{[]/.test(name)) return pattern(plan);
  if (kind === 'nothing' && isHubId(name) && fetchHub !== undefined)
    return fetchHub(name, location, onWarning);
  if (kind === 'nothing') throw notThere(plan);
  refuseHubSettings(plan, kind);
  return kind === 'file' ? singleFile(plan) : inFolder(plan, onWarning);
}

async function pattern(plan: DatasetPlan): Promise<DatasetFiles> {
  refuseHubSettings(plan);
  refuseFolderSettings(plan, 'is a pattern');
  return { train: await matchingFiles(process.cwd(), [plan.name]), eval: undefined };
}

async function singleFile(plan: DatasetPlan): Promise<DatasetFiles> {
  const { name, location } = plan;
  const files = await matchingFiles(process.cwd(), [name]); // checks its kind
  refuseFolderSettings(plan, 'is a file');
  const splits = new Map([
    [location.trainSplit === dataFileKind(name)?.stem ? location.trainSplit : 'train', files],
  ]);
  return chooseSplits(splits, { ...location, valSplit: location.trainSplit }, resolve(name), () => {});
}

async function inFolder(plan: DatasetPlan, onWarning: (message: string) => void): Promise<DatasetFiles> {
  const { name, location } = plan;
  const dir = resolve(name, location.dataDir ?? '.');
  if (location.dataFiles === null)
    return chooseSplits(await splitsOf(dir, location, onWarning), location, dir, onWarning);
  const splits = new Map<string, string[]>();
  for (const [split, patterns] of Object.entries(location.dataFiles)) {
    splits.set(split, await matchingFiles(dir, patterns));
  }
  return chooseSplits(splits, location, dir, onWarning);
}

/** What `save_to_disk` says, else what a README.md does, else what the names of files and folders do. */
async function splitsOf(
  dir: string,
  location: DatasetLocation,
  onWarning: (message: string) => void,
): Promise<Map<string, string[]>> {
  const said = (await savedSplits(dir)) ?? (await declaredSplits(dir, location, onWarning));
  if (said !== undefined) return said;
  const named = await folderSplits(dir);
  if (trainingFiles(named, location.trainSplit) !== undefined) return named;
  const asOnHub = await repositorySplits(dir, onWarning);
  return trainingFiles(asOnHub, location.trainSplit) === undefined ? named : asOnHub;
}

function isHubId(name: string): boolean {
  return /^[\w-][\w.-]*\/[\w-][\w.-]*$/.test(name) && dataFileKind(name) === undefined;
}

function refuseHubSettings(
  { name, path, location }: DatasetPlan,
  kind?: 'file' | 'folder' | 'nothing',
): void {
  const given = [
    location.configName !== null && kind !== 'folder' && 'name',
    location.revision !== null && 'revision',
  ];
  const key = given.find((one) => one !== false);
  if (key === undefined) return;
  throw new AdaptiveTrainerError(
    'DATASET_INVALID',
    `Expected no "${key}" in datasets_kwargs for ${path}: it belongs to datasets of the Hub, and ${resolve(name)} is on ` +
      `this disk. Remove it.`,
    { details: { path: resolve(name), key } },
  );
}

function refuseFolderSettings({ name, path, location }: DatasetPlan, what: string): void {
  if (location.dataDir === null && location.dataFiles === null) return;
  throw new AdaptiveTrainerError(
    'DATASET_INVALID',
    `Expected no data_dir or data_files for ${path}, for ${resolve(name)} ${what}. They are for folders; name the folder.`,
    { details: { path: resolve(name) } },
  );
}

function notThere({ name, path }: DatasetPlan): AdaptiveTrainerError {
  const looked = resolve(name);
  const details = { path: looked, dataset: name };
  if (isHubId(name)) {
    return new AdaptiveTrainerError(
      'NOT_AVAILABLE',
      `Hub datasets are not available here: download "${name}" (${path}) as .jsonl or .parquet files and pass their path. ` +
        `(There is no file or folder ${looked} either.)`,
      { details },
    );
  }
  return new AdaptiveTrainerError(
    'DATASET_NOT_FOUND',
    `Expected a .jsonl, .json, .csv, .tsv, .parquet or .arrow file, or a folder with train.jsonl, at ${looked} (${path}: ` +
      `"${name}") but there is nothing. Relative paths start at ${process.cwd()}.`,
    { details },
  );
}
