/** How far a download is, told after every piece that comes. */
export interface HubProgress {
  readonly repo: string;
  /** The file that something came of. */
  readonly path: string;
  /** Bytes there and bytes wanted, of all files together that were not in the cache. */
  readonly received: number;
  readonly total: number;
  readonly filesDone: number;
  readonly files: number;
}
