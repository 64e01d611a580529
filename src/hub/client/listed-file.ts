/** A file of a repository at one commit. */
export interface ListedFile {
  /** Parts separated by `/`, checked: it stays inside the folder it is put in. */
  readonly path: string;
  readonly size: number;
  /** SHA-256 of the content of a large file, else git's SHA-1 of it; also the name of its blob in the cache. */
  readonly hash: string;
  /** What git calls the file: for a large one the pointer to it. */
  readonly oid: string;
  readonly xetHash?: string | undefined;
}
