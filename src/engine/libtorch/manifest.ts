/** What was put into the cache. Written last, so a folder without it is a download that did not finish. */
export interface Manifest {
  readonly version: string;
  /** Where it came from: a wheel's file name or the archive's address. */
  readonly source: string;
  readonly fetchedAt: string;
  /** The libraries, relative to the libtorch's root with forward slashes. */
  readonly files: Readonly<Record<string, { readonly size: number; readonly sha256: string }>>;
}

/** The manifest's name inside a cached libtorch. */
export const manifestName = 'manifest.json';
