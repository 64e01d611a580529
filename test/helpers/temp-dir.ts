import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const folders: string[] = [];
process.on('exit', () => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })));

/** A new folder, gone when this process is, and at the latest when the run of all tests is. */
export function tempDir(): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'adaptive-trainer-test-'));
  folders.push(folder);
  return folder;
}
