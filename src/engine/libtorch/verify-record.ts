import { readFile } from 'node:fs/promises';
import { AdaptiveTrainerError } from '../../errors.js';
import type { ExtractedFile } from './extract-zip.js';

/**
 * Compares what was extracted from a wheel with the wheel's own RECORD, which lists every file as
 * `path,sha256=<base64url>,size`.
 * @param about the wheel's name, and what helps where it is damaged
 * @throws AdaptiveTrainerError LIBTORCH_BROKEN that names every file that differs or is not listed.
 */
export async function verifyRecord(
  recordFile: string,
  files: Iterable<ExtractedFile>,
  { name, again }: { name: string; again: string },
): Promise<void> {
  const expected = parse(await readFile(recordFile, 'utf8'));
  const faults: string[] = [];
  for (const file of files) {
    const digest = expected.get(file.entryName);
    if (digest === undefined) faults.push(`${file.entryName} is not listed`);
    else if (digest !== Buffer.from(file.sha256, 'hex').toString('base64url')) {
      faults.push(
        `${file.entryName} has sha256 ${file.sha256}, not ${Buffer.from(digest, 'base64url').toString('hex')}`,
      );
    }
  }
  if (faults.length === 0) return;
  const shown = faults.slice(0, 10).map((fault) => `  - ${fault}`);
  if (faults.length > shown.length) shown.push(`  - and ${faults.length - shown.length} more`);
  throw new AdaptiveTrainerError(
    'LIBTORCH_BROKEN',
    `Expected the files of ${name} to match its RECORD, but ${faults.length} do not:\n${shown.join('\n')}\n` +
      `The download was damaged or tampered with. ${again}`,
    { details: { faults } },
  );
}

function parse(record: string): Map<string, string> {
  const digests = new Map<string, string>();
  for (const line of record.split(/\r?\n/)) {
    // The path comes first and may be quoted; torch's own paths hold no commas, so the two last commas divide.
    const match = /^(.*),sha256=([\w-]+)=*,\d*$/.exec(line);
    if (match) digests.set(match[1]!.replace(/^"|"$/g, ''), match[2]!);
  }
  return digests;
}
