import { open, type FileHandle } from 'node:fs/promises';
import { AdaptiveTrainerError } from '../../errors.js';

/**
 * Opens a data file that is read in places.
 *
 * @param what kind of file, for messages: `a Parquet file`
 * @throws AdaptiveTrainerError `DATASET_NOT_FOUND`; `IO_FAILED`
 */
export async function openFile(path: string, what: string): Promise<FileHandle> {
  try {
    return await open(path);
  } catch (cause) {
    const isMissing = ['ENOENT', 'ENOTDIR'].includes((cause as NodeJS.ErrnoException).code ?? '');
    throw new AdaptiveTrainerError(
      isMissing ? 'DATASET_NOT_FOUND' : 'IO_FAILED',
      isMissing
        ? `Expected ${what} at ${path} but there is none. Relative paths start at ${process.cwd()}.`
        : `Could not read ${path}: ${String(cause)}. Check its permissions.`,
      { details: { path }, cause },
    );
  }
}
