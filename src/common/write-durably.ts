import { randomUUID } from 'node:crypto';
import { open, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AdaptiveTrainerError } from '../errors.js';
import { mkdirs } from './mkdirs.js';

/**
 * Has `write` make a file under a temporary name beside `path`, syncs it to disk and puts it in place in one step: a reader,
 * also one after a power cut, sees the old file or the whole new one.
 *
 * @throws AdaptiveTrainerError IO_FAILED naming the file and the reason
 */
export async function writeDurably(
  path: string,
  write: (temporary: string) => Promise<unknown>,
): Promise<void> {
  const temporary = temporaryName(path);
  try {
    await write(temporary);
    await sync(temporary);
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true });
    throw ioError(path, cause);
  }
}

const temporaryName = (path: string) => `${path}.${randomUUID().slice(0, 8)}.tmp`;

/** Whether a file has the name of one that writeDurably() was writing; where nobody is at it, it is half of one. */
export const isTemporary = (name: string): boolean => /\.[0-9a-f]{8}\.tmp$/.test(name);

/** Writes a text file in that way; its folder is made where it is not there yet. */
export async function writeTextDurably(path: string, text: string): Promise<void> {
  await makeFolder(dirname(path));
  await writeDurably(path, (temporary) => writeFile(temporary, text));
}

/** Makes what is written of a file, or the names in a folder, survive a power cut. */
export async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } catch (error) {
    // Windows knows no sync of a folder.
    if (process.platform !== 'win32') throw error;
  } finally {
    await handle.close();
  }
}

/**
 * Makes a folder, and those above it, where it is not there yet.
 * @throws AdaptiveTrainerError IO_FAILED
 */
export async function makeFolder(path: string): Promise<void> {
  await mkdirs(path).catch((cause: unknown) => {
    throw ioError(path, cause);
  });
}

/** A failed file operation as IO_FAILED; an error that already is one of ours stays. */
export function ioError(path: string, cause: unknown): AdaptiveTrainerError {
  if (AdaptiveTrainerError.isInstance(cause)) return cause;
  const { code, message } = cause as NodeJS.ErrnoException;
  const reason = code === 'EISDIR' ? 'it is a folder' : message;
  return new AdaptiveTrainerError('IO_FAILED', `Cannot write ${path}: ${reason}.`, {
    cause,
    details: { path },
  });
}
