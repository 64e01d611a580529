import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { AdaptiveTrainerError } from '../errors.js';

/**
 * What lies at a path.
 * @throws AdaptiveTrainerError IO_FAILED where the system does not say
 */
export async function kindOfPath(path: string): Promise<'folder' | 'file' | 'nothing'> {
  try {
    return (await stat(path)).isDirectory() ? 'folder' : 'file';
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    // ENOTDIR: a part of the path is a file.
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ENAMETOOLONG') return 'nothing';
    throw new AdaptiveTrainerError('IO_FAILED', `Cannot look at ${resolve(path)}: ${message}.`, {
      details: { path: resolve(path) },
      cause,
    });
  }
}
