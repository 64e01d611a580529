/** What setup is doing. `done` and `total` are bytes, where known. */
export interface SetupProgress {
  readonly phase: 'wait' | 'fetch' | 'extract' | 'found' | 'done' | 'note';
  readonly message: string;
  readonly done?: number;
  readonly total?: number;
}

/** Receives the progress of setup. */
export type OnSetupProgress = (progress: SetupProgress) => void;
