import type { BatchSettings } from '../batches/plan-batches.js';
import { mismatch, type Difference } from './fingerprint.js';
import type { Fingerprint, RunState } from './run-state.js';

/**
 * The state of a run whose rows are cut into batches of another size from now on: it goes on at the row where it stopped.
 * @param rows how many an epoch has; undefined where the order of the rows is not known here
 * @throws AdaptiveTrainerError CHECKPOINT_MISMATCH inside an epoch where that row is not known
 */
export function rebatched(
  state: RunState,
  differences: readonly Difference[],
  rows: number | undefined,
  path: string,
): RunState {
  const changed = differences.filter(({ effect }) => effect === 'order');
  if (changed.length === 0) return state;
  const { step, epochIndex, windowsDone } = state;
  const passedBefore = state.since.epochIndex === epochIndex ? state.since.rows : 0;
  if (windowsDone === 0 && passedBefore === 0) return { ...state, since: { step, epochIndex, rows: 0 } };
  const size = rowsPerWindow(state.fingerprint);
  if (rows === undefined || size === undefined) {
    const hint =
      ' Between two epochs these may change, too; inside one only where the rows are an array in the order of this library, and were not packed by maxTokensPerBatch.';
    throw mismatch(path, changed, hint);
  }
  const passed = passedBefore + windowsDone * size;
  const since =
    passed < rows ? { step, epochIndex, rows: passed } : { step, epochIndex: epochIndex + 1, rows: 0 };
  return { ...state, since, epochIndex: since.epochIndex, windowsDone: 0 };
}

/** undefined where windows were cut by tokens. */
function rowsPerWindow(saved: Fingerprint): number | undefined {
  const setting = (key: keyof BatchSettings) => saved[`args.${key}`];
  if (setting('maxTokensPerBatch') !== null) return undefined;
  return Number(setting('batchSize')) * Number(setting('gradientAccumulationSteps'));
}
