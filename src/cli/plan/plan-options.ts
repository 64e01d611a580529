import type { MixProgress } from '../../events/dataset-report.js';

/** How a run is planned. */
export interface PlanOptions {
  onWarning: (message: string) => void;
  onProgress?: (progress: MixProgress) => void;
  signal?: AbortSignal;
  /** Brings datasets of the Hub here. Default: those in its cache are taken, the size of others is asked for. */
  download?: boolean;
  /** How many ranks the run will have. Default: those of the launcher that started this process. */
  ranks?: number | undefined;
  /** Bytes of the GPU that the run will have, which need not be in this machine. Default: the device of the configuration. */
  deviceMemory?: number | undefined;
}
