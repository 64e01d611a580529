import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/** A new folder, gone when this process is. */
export function tempDir(): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'adaptive-trainer-test-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
