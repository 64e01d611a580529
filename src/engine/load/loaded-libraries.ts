import { readFileSync } from 'node:fs';
import path from 'node:path';

/**
 * Shared libraries in this process, in any of its threads, whose file has one of these names. Another copy of this package, or
 * another package with libtorch, may have brought them.
 */
export function loadedLibraries(names: readonly string[]): string[] {
  const all = process.platform === 'linux' ? ofMaps() : ofReport();
  return all.filter((file) => names.includes(path.basename(file)));
}

// A report takes long: it asks for the names of every address that the process is connected to.
function ofMaps(): string[] {
  const lines = readFileSync('/proc/self/maps', 'utf8').split('\n');
  return [...new Set(lines.map((line) => /^\S+ r\S+ \S+ \S+ \d+\s+(\/.*)$/.exec(line)?.[1] ?? ''))];
}

function ofReport(): string[] {
  const report = process.report as NodeJS.ProcessReport & { excludeNetwork?: boolean };
  const before = report.excludeNetwork;
  report.excludeNetwork = true;
  try {
    return (report.getReport() as { sharedObjects?: string[] }).sharedObjects ?? [];
  } finally {
    report.excludeNetwork = before ?? false;
  }
}
