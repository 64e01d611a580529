import { rm } from 'node:fs/promises';
import path from 'node:path';
import type { OnSetupProgress } from '../../common/setup-progress.js';
import { AdaptiveTrainerError } from '../../errors.js';
import type { ExtractedFile } from './extract-zip.js';
import { verifyRecord } from './verify-record.js';

/** What to unpack of a wheel. */
export interface UnpackOptions {
  readonly zip: string;
  readonly into: string;
  /** The path below `into` for an entry, or undefined to leave it out. */
  readonly select: (entryName: string) => string | undefined;
  /** What helps where the wheel is damaged, as a sentence. */
  readonly again: string;
  readonly onProgress: OnSetupProgress;
}

const recordName = 'RECORD.part';

/**
 * Unpacks a wheel and compares what was written with the wheel's own RECORD.
 * @returns the files by their path below `into`
 * @throws AdaptiveTrainerError LIBTORCH_BROKEN
 */
export async function unpackWheel(options: UnpackOptions): Promise<Map<string, ExtractedFile>> {
  const { zip, into, select, again, onProgress } = options;
  const name = path.basename(zip);
  const message = `Extracting ${name}`;
  const { extractZip } = await import('./extract-zip.js');
  const files = await extractZip({
    ...{ zip, into },
    select: (entry) => (/^[^/]+\.dist-info\/RECORD$/.test(entry) ? recordName : select(entry)),
    onBytes: (done, total) => onProgress({ phase: 'extract', message, done, total }),
  });
  if (!files.delete(recordName)) {
    throw new AdaptiveTrainerError(
      'LIBTORCH_BROKEN',
      `Expected a RECORD of checksums in ${name}, but found none, so its files cannot be verified.`,
      { details: { zip } },
    );
  }
  const record = path.join(into, recordName);
  await verifyRecord(record, files.values(), { name, again });
  await rm(record);
  return files;
}
