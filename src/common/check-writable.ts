import { rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ioError, makeFolder } from './write-durably.js';

/**
 * Makes sure that a file can be written, before the work whose result it is to hold. Its folder is made where it is not there yet.
 * @throws AdaptiveTrainerError IO_FAILED
 */
export async function checkWritable(file: string): Promise<void> {
  await makeFolder(dirname(file));
  const trial = `${file}.${process.pid}.tmp`;
  try {
    await writeFile(trial, '');
  } catch (cause) {
    throw ioError(file, cause);
  } finally {
    await rm(trial, { force: true });
  }
}
