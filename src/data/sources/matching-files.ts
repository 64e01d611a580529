import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { AdaptiveTrainerError } from '../../errors.js';
import { dataFileKind } from '../../common/data-file-kind.js';

/**
 * The data files that file names and patterns (`*`, `**`, `?`, `[…]`, `{…}`) stand for, by name within each pattern. A
 * file that several of them name is there once.
 *
 * @param dir where relative ones start
 * @throws AdaptiveTrainerError `DATASET_NOT_FOUND` for a pattern without a file; `DATASET_INVALID` for a file of
 * another kind
 */
export async function matchingFiles(dir: string, patterns: readonly string[]): Promise<string[]> {
  const files = new Set<string>();
  for (const pattern of patterns) {
    for (const file of await matching(dir, pattern)) files.add(file);
  }
  for (const file of files) if (dataFileKind(file) === undefined) throw otherKind(file);
  return [...files];
}

async function matching(dir: string, pattern: string): Promise<string[]> {
  const path = resolve(dir, pattern);
  if (await isFile(path)) return [path]; // also where its name holds a character that has a meaning in patterns
  const { glob } = await import('tinyglobby');
  const found = await glob(pattern.replaceAll('\\', '/'), {
    cwd: dir,
    absolute: true,
    expandDirectories: false,
    onlyFiles: true,
  });
  if (found.length > 0) return found.map((file) => resolve(file)).sort();
  throw new AdaptiveTrainerError(
    'DATASET_NOT_FOUND',
    `Expected a data file at ${path} but there is none. Relative names in data_files start at ${dir}.`,
    { details: { path } },
  );
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

function otherKind(path: string): AdaptiveTrainerError {
  return new AdaptiveTrainerError(
    'DATASET_INVALID',
    `Expected a .jsonl, .json, .csv, .tsv (also .gz or .zst), .parquet or .arrow file but ${path} is none of them. ` +
      `Convert it, one JSON object a line.`,
    { details: { path } },
  );
}
