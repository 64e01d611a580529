import { stat } from 'node:fs/promises';

/** What lies at a path. */
export async function kindOfPath(place: string): Promise<'folder' | 'file' | 'nothing'> {
  try {
    return (await stat(place)).isDirectory() ? 'folder' : 'file';
  } catch (error) {
    // ENOTDIR: a part of the path is a file, which is found when that part is looked at.
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return 'nothing';
    throw error;
  }
}
