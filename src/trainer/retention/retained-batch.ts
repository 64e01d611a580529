import type { RetainedRows } from '../../engine/addon.js';

/** Rows that go through the model beside those of a micro-batch, to hold it to its base. */
export interface RetainedBatch extends RetainedRows {
  /** Their token ids. */
  ids: readonly Int32Array[];
}
