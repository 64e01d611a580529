import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ioError, makeFolder, sync } from './write-durably.js';

/** Writes a file to the path it is given. */
export type FileWriter = (path: string) => Promise<unknown>;

/**
 * Makes files of a folder new together, and takes others away. All are written under temporary names and synced first, so
 * that one that cannot be written leaves the folder as it was; then each is put in place in one step, in the order given;
 * then the stale ones go, in theirs. A power cut in between leaves whole files.
 *
 * @param files by name
 * @param stale names to remove; those that are not there, and those in `files`, are passed over
 * @throws AdaptiveTrainerError IO_FAILED naming the file and the reason
 */
export async function replaceFiles(
  dir: string,
  files: ReadonlyMap<string, FileWriter>,
  stale: readonly string[] = [],
): Promise<void> {
  await makeFolder(dir);
  const temporary = (name: string) => join(dir, `${name}.${process.pid}.tmp`);
  let at = dir;
  try {
    for (const [name, write] of files) {
      at = join(dir, name);
      await write(temporary(name));
      await sync(temporary(name));
    }
    for (const name of files.keys()) {
      at = join(dir, name);
      await rename(temporary(name), at);
    }
    await sync(dir);
    for (const name of stale) {
      at = join(dir, name);
      if (!files.has(name)) await rm(at, { force: true });
    }
    await sync(dir);
  } catch (cause) {
    await Promise.all([...files.keys()].map((name) => rm(temporary(name), { force: true })));
    throw ioError(at, cause);
  }
}
