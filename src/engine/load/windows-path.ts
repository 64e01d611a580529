import path from 'node:path';

/** Windows has no run paths: a library's own needs are found through PATH. Elsewhere, nothing to set. */
export function windowsPath(libDir: string): { PATH?: string } {
  if (process.platform !== 'win32') return {};
  return { PATH: `${libDir}${path.delimiter}${process.env['PATH'] ?? ''}` };
}
