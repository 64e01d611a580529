import type { HubProgress } from './hub-progress.js';

/** What happens between a run and the Hub, at most a few times a second. */
export type HubEvent =
  | ({ type: 'download' } & HubProgress)
  /** `progress` of the file, 0 to 1. */
  | { type: 'upload'; repo: string; path: string; state: 'hashing' | 'uploading'; progress: number }
  | { type: 'uploaded'; repo: string; url: string; commit: string };
