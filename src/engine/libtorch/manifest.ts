import type { ExtractedFile } from './extract-zip.js';

/** What was put into the cache. Written last, so a folder without it is a download that did not finish. */
export interface Manifest {
  readonly version: string;
  /** Where it came from: file names of wheels, or the archive's address. */
  readonly source: string;
  readonly fetchedAt: string;
  /** The libraries, relative to the libtorch's root with forward slashes. */
  readonly files: Readonly<Record<string, { readonly size: number; readonly sha256: string }>>;
}

/** The manifest's name inside a cached libtorch. */
export const manifestName = 'manifest.json';

/** @param files by their path relative to the libtorch's root; only those in a folder `lib` are listed */
export function manifestText(
  version: string,
  source: string,
  files: ReadonlyMap<string, ExtractedFile>,
): string {
  const libraries = [...files].filter(([name]) => /(^|\/)lib\//.test(name) && !/(^|\/)include\//.test(name));
  const manifest: Manifest = {
    ...{ version, source, fetchedAt: new Date().toISOString() },
    files: Object.fromEntries(libraries.map(([name, { size, sha256 }]) => [name, { size, sha256 }])),
  };
  return `${JSON.stringify(manifest, undefined, 2)}\n`;
}
