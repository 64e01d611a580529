import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const folders: string[] = [];
process.on('exit', () => folders.forEach(remove));

/** A process that was just killed may still write into it; what is left then goes with the folder of the run of all tests. */
function remove(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  } catch {
    // An error here would look like one of the tests.
  }
}

/** A new folder, gone when this process is, and at the latest when the run of all tests is. */
export function tempDir(): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'adaptive-trainer-test-'));
  folders.push(folder);
  return folder;
}
