import { statfsSync } from 'node:fs';
import path from 'node:path';
import { AdaptiveTrainerError } from '../../errors.js';

const fullCodes = ['ENOSPC', 'EDQUOT'];
const closedCodes = ['EACCES', 'EPERM', 'EROFS', 'ENOTDIR'];

/**
 * The error to throw for one that came while `folder` was being filled: where the disk is full or the folder cannot be
 * written to, that and what helps; otherwise the error itself.
 */
export function explainStorage(error: unknown, folder: string): unknown {
  const code = codeOf(error);
  if (code === undefined) return error;
  const elsewhere = 'set ADAPTIVE_TRAINER_CACHE to a folder';
  const message = fullCodes.includes(code)
    ? `Expected room for libtorch in ${folder}, about 1 GB while it is fetched, but the disk is full (${code}${free(folder)}). ` +
      `Free some, or ${elsewhere} on another disk.`
    : `Expected to write to ${folder}, the cache of adaptive-trainer, but it cannot be written to (${code}). ` +
      `Change its owner or rights, or ${elsewhere} that you may write to.`;
  return new AdaptiveTrainerError('IO_FAILED', message, { details: { path: folder }, cause: error });
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
  for (let place = folder; ; place = path.dirname(place)) {
    try {
      const { bavail, bsize } = statfsSync(place);
      return `, ${Math.floor((bavail * bsize) / 1e6)} MB are free`;
    } catch {
      if (place === path.dirname(place)) return '';
    }
  }
}
