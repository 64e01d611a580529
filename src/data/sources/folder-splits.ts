import { readdir } from 'node:fs/promises';
import type { Dirent } from 'node:fs';
import { basename, join } from 'node:path';
import { AdaptiveTrainerError } from '../../errors.js';
import { validationNames } from '../../config/datasets/choose-splits.js';
import { dataFileKind } from '../../common/data-file-kind.js';

const folderNames = ['train', ...validationNames];

/**
 * The data files of a folder by split. A file is named after its split (`train.jsonl`), also in parts
 * (`train-00000-of-00002.parquet`); a subfolder `train`, `validation`, … holds the files of that split. Where there are
 * none, the same is looked for in a subfolder `data`, as in a clone of a Hub dataset.
 *
 * @throws AdaptiveTrainerError `DATASET_NOT_FOUND` when there is no such folder; `DATASET_INVALID` when two files differ
 * in their kind alone
 */
export async function folderSplits(dir: string): Promise<Map<string, string[]>> {
  const entries = await list(dir);
  const splits = new Map<string, string[]>();
  const add = (split: string, files: string[]) => {
    if (files.length > 0) splits.set(split, [...(splits.get(split) ?? []), ...files]);
  };
  for (const file of dataFiles(dir, entries)) add(splitOf(file), [file]);
  for (const folder of entries.filter((entry) => entry.isDirectory() && folderNames.includes(entry.name))) {
    const inside = join(dir, folder.name);
    add(folder.name, dataFiles(inside, await list(inside)));
  }
  const hasData = entries.some((entry) => entry.isDirectory() && entry.name === 'data');
  return splits.size === 0 && hasData ? folderSplits(join(dir, 'data')) : splits;
}

function splitOf(file: string): string {
  // Older Hub datasets have a hash after the part: train-00000-of-00001-a09b74b3ef9c3b56.parquet.
  return (dataFileKind(file)?.stem ?? '').replace(/-\d{5}-of-\d{5}(-[0-9a-f]{16})?$/, '');
}

function dataFiles(dir: string, entries: readonly Dirent[]): string[] {
  const byStem = new Map<string, string>();
  for (const entry of entries) {
    const kind = dataFileKind(entry.name);
    if (kind === undefined || entry.isDirectory()) continue;
    const twin = byStem.get(kind.stem);
    const file = join(dir, entry.name);
    if (twin !== undefined) throw ambiguous(dir, twin, file);
    byStem.set(kind.stem, file);
  }
  return [...byStem.values()];
}

async function list(dir: string): Promise<Dirent[]> {
  try {
    const entries = await readdir(dir, { withFileTypes: true });
    return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (cause) {
    throw new AdaptiveTrainerError(
      'DATASET_NOT_FOUND',
      `Expected a folder of data files at ${dir} but there is none.`,
      { details: { path: dir }, cause },
    );
  }
}

/** `train.csv` beside `train.jsonl` is most likely the same rows twice. */
function ambiguous(dir: string, one: string, other: string): AdaptiveTrainerError {
  return new AdaptiveTrainerError(
    'DATASET_INVALID',
    `Expected one file of each name in ${dir} but found ${basename(one)} and ${basename(other)}, which may hold the ` +
      `same rows. Remove one, or name the files to use with data_files in datasets_kwargs.`,
    { details: { path: dir, files: [one, other] } },
  );
}
