import { statfsSync } from 'node:fs';
import path from 'node:path';
import { AdaptiveTrainerError } from '../../errors.js';

const fullCodes = ['ENOSPC', 'EDQUOT'];
const elsewhere = 'set ADAPTIVE_TRAINER_CACHE to a folder';
const closedCodes = ['EACCES', 'EPERM', 'EROFS', 'ENOTDIR'];

/**
 * The error to throw for one that came while `folder` was being filled: where the disk is full or the folder cannot be
 * written to, that and what helps; otherwise the error itself.
 */
export function explainStorage(
  error: unknown,
  folder: string,
  need = 'about 1 GB while it is fetched',
): unknown {
  const code = codeOf(error);
  if (code === undefined) return error;
  const message = fullCodes.includes(code)
    ? `Expected room for libtorch in ${folder}, ${need}, but the disk is full (${code}${free(folder)}). ` +
      `Free some, or ${elsewhere} on another disk.`
    : `Expected to write to ${folder}, the cache of adaptive-trainer, but it cannot be written to (${code}). ` +
      `Change its owner or rights, or ${elsewhere} that you may write to.`;
  return new AdaptiveTrainerError('IO_FAILED', message, { details: { path: folder }, cause: error });
}

/** Whether the disk is full, or a folder closed. */
export function isOfDisk(error: unknown): boolean {
  return codeOf(error) !== undefined;
}

/**
 * @param what what the room is for
 * @throws AdaptiveTrainerError IO_FAILED where the disk of a folder, which need not be there yet, has fewer bytes free
 */
export function expectRoom(folder: string, bytes: number, what: string): void {
  const free = freeBytes(folder);
  if (free === undefined || free >= bytes) return;
  const [wanted, there] = [bytes, free].map((count) => `${(count / 1e9).toFixed(1)} GB`);
  throw new AdaptiveTrainerError(
    'IO_FAILED',
    `Expected ${wanted} of room for ${what} in ${folder}, but ${there} are free. Free some, or ${elsewhere} on another disk.`,
    { details: { path: folder } },
  );
}

/** The reason of the system, in the error, in what caused it, or in what pip said. */
function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code } = error as NodeJS.ErrnoException;
  if (code !== undefined && [...fullCodes, ...closedCodes].includes(code)) return code;
  for (const inner of error instanceof AggregateError ? error.errors : [error.cause]) {
    const found = codeOf(inner);
    if (found !== undefined) return found;
  }
  return /No space left on device/i.test(error.message) ? 'ENOSPC' : undefined;
}

function free(folder: string): string {
  const bytes = freeBytes(folder);
  return bytes === undefined ? '' : `, ${Math.floor(bytes / 1e6)} MB are free`;
}

function freeBytes(folder: string): number | undefined {
  for (let place = path.resolve(folder); ; place = path.dirname(place)) {
    try {
      const { bavail, bsize } = statfsSync(place);
      return bavail * bsize;
    } catch {
      if (place === path.dirname(place)) return undefined;
    }
  }
}
