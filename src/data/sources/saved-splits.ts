import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AdaptiveTrainerError } from '../../errors.js';
import { isPlainObject } from '../../common/is-plain-object.js';
import { dataFileKind } from '../../common/data-file-kind.js';

/**
 * The Arrow files by split of a folder that `save_to_disk` of `datasets` wrote, of one dataset (`state.json`) or of several
 * splits (`dataset_dict.json`); undefined where it is no such folder.
 *
 * @throws AdaptiveTrainerError `DATASET_INVALID` where what it says of its files cannot be read
 */
export async function savedSplits(dir: string): Promise<Map<string, string[]> | undefined> {
  const dict = await readObject(join(dir, 'dataset_dict.json'));
  if (dict === undefined) {
    const saved = await savedDataset(dir);
    if (saved === undefined) return undefined;
    // It is what there is, whatever split it came from.
    return new Map([
      ['train', saved.files],
      ...(saved.split === null ? [] : [[saved.split, saved.files] as const]),
    ]);
  }
  const { splits } = dict;
  if (!Array.isArray(splits) || !splits.every((split) => typeof split === 'string'))
    throw unreadable(join(dir, 'dataset_dict.json'), 'a list of names as "splits"');
  const found = new Map<string, string[]>();
  for (const split of splits as string[]) {
    const saved = await savedDataset(join(dir, split));
    if (saved === undefined) throw unreadable(join(dir, split, 'state.json'), 'the files of the split');
    found.set(split, saved.files);
  }
  return found;
}

async function savedDataset(dir: string): Promise<{ files: string[]; split: string | null } | undefined> {
  const path = join(dir, 'state.json');
  const state = await readObject(path);
  const listed = state?.['_data_files'];
  if (!Array.isArray(listed)) return undefined; // another program's state
  const files = listed.map((file: unknown) => (isPlainObject(file) ? file['filename'] : undefined));
  const isArrow = (file: unknown) => typeof file === 'string' && dataFileKind(file)?.format === 'arrow';
  if (!files.every(isArrow)) throw unreadable(path, 'Arrow files as "_data_files"');
  const chosen: unknown = state!['_indices_data_files'];
  if (Array.isArray(chosen) && chosen.length > 0)
    throw unreadable(path, 'all rows, for a selection of them ("_indices_data_files") is not read,');
  const split = state!['_split'];
  return {
    files: (files as string[]).map((file) => join(dir, file)),
    split: typeof split === 'string' ? split : null,
  };
}

async function readObject(path: string): Promise<Record<string, unknown> | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    if (['ENOENT', 'ENOTDIR'].includes((cause as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw new AdaptiveTrainerError('IO_FAILED', `Could not read ${path}: ${String(cause)}.`, {
      details: { path },
      cause,
    });
  }
  try {
    const value: unknown = JSON.parse(text);
    if (isPlainObject(value)) return value;
  } catch {
    // It is told below.
  }
  throw unreadable(path, 'a JSON object');
}

function unreadable(path: string, expected: string): AdaptiveTrainerError {
  return new AdaptiveTrainerError(
    'DATASET_INVALID',
    `Expected ${expected} in ${path}, which save_to_disk writes, but found something else. Save the dataset again, or ` +
      `export it in Python: load_from_disk(dir).to_parquet("train.parquet") (of each split).`,
    { details: { path } },
  );
}
