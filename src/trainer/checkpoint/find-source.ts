import { realpath } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { AdaptiveTrainerError } from '../../errors.js';
import { hasFinalModel, storedCheckpoints, type StoredCheckpoint } from '../output-dir/output-contents.js';
import { verifyCheckpoint } from './checkpoint-files.js';

/** What a run begins with, and what its output folder holds beside that. */
export interface RunSource {
  /** The verified checkpoint that it goes on from; undefined: none. */
  checkpoint: { path: string; step: number; runId: string | undefined } | undefined;
  /** Whether that lies in the output folder, so that this is the same run. */
  isSameRun: boolean;
  /** Names in the output folder that are not of this run's past and would be written over. */
  inTheWay: string[];
  /** The newest checkpoint that could be gone on from instead; undefined: none. */
  resumable: string | undefined;
}

type OnDamaged = (error: AdaptiveTrainerError) => Promise<void>;

/**
 * Finds the checkpoint to go on from. Of the output folder's own ones it is the newest whole one of the run that saved
 * last; damaged ones are passed over and told of.
 * @param from a path; true: the newest; false: none
 * @throws AdaptiveTrainerError CHECKPOINT_INVALID when the path is none that is whole, or every checkpoint of the folder is
 * damaged
 */
export async function findSource(
  outputDir: string | undefined,
  from: boolean | string,
  onDamaged: OnDamaged,
): Promise<RunSource> {
  const stored = outputDir === undefined ? [] : await storedCheckpoints(outputDir);
  const finalModel = outputDir !== undefined && (await hasFinalModel(outputDir)) ? ['final_model'] : [];
  const everything = { inTheWay: [...stored.map(nameOf), ...finalModel], resumable: newestOf(stored) };
  if (from === false) return { checkpoint: undefined, isSameRun: false, ...everything };
  if (typeof from === 'string') {
    const path = resolve(from);
    const checkpoint = { path, ...stepAndRun(path, await verifyCheckpoint(path)) };
    if (outputDir === undefined || !(await isSameFolder(dirname(path), outputDir)))
      return { checkpoint, isSameRun: false, ...everything };
    return { ...(await sameRun(checkpoint, stored)), resumable: newestOf(stored) };
  }
  const last = stored.filter(isNumbered).sort((a, b) => (a.savedAt! < b.savedAt! ? 1 : -1))[0]?.runId;
  const candidates = stored.filter((one) => one.isOurs && (one.runId === last || !isNumbered(one)));
  const damaged = new Set<StoredCheckpoint>();
  let fault: AdaptiveTrainerError | undefined;
  for (const one of candidates.reverse()) {
    fault = await faultOf(one);
    if (fault === undefined) return sameRun(one, stored, damaged);
    damaged.add(one);
    await onDamaged(fault);
  }
  if (fault !== undefined) throw fault;
  return { checkpoint: undefined, isSameRun: false, ...everything };
}

async function sameRun(
  checkpoint: NonNullable<RunSource['checkpoint']>,
  stored: readonly StoredCheckpoint[],
  knownDamaged: ReadonlySet<StoredCheckpoint> = new Set(),
): Promise<RunSource> {
  const isPast = ({ runId, step, isOurs }: StoredCheckpoint) =>
    isOurs && runId === checkpoint.runId && step <= checkpoint.step;
  const inTheWay: string[] = [];
  for (const one of stored.filter((stored) => !isPast(stored) && !knownDamaged.has(stored))) {
    // One that cannot be gone on from is no loss.
    if (!one.isOurs || (await faultOf(one)) === undefined) inTheWay.push(nameOf(one));
  }
  return { checkpoint, isSameRun: true, inTheWay, resumable: undefined };
}

const nameOf = ({ path }: { path: string }) => basename(path);
const isNumbered = ({ savedAt }: StoredCheckpoint) => savedAt !== undefined;

/** What `true` would go on from; undefined where there is none, or where checkpoints of several runs lie side by side. */
function newestOf(stored: readonly StoredCheckpoint[]): string | undefined {
  const own = stored.filter(({ isOurs }) => isOurs);
  return new Set(own.map(({ runId }) => runId)).size === 1 ? own.at(-1)!.path : undefined;
}

function stepAndRun(path: string, { step, runId }: { step?: number; runId?: string }) {
  return { step: step ?? Number(/\d+$/.exec(path)?.[0] ?? 0), runId };
}

async function faultOf({ path }: { path: string }): Promise<AdaptiveTrainerError | undefined> {
  try {
    await verifyCheckpoint(path);
    return undefined;
  } catch (error) {
    if (AdaptiveTrainerError.isInstance(error, 'CHECKPOINT_INVALID')) return error;
    throw error;
  }
}

async function isSameFolder(a: string, b: string): Promise<boolean> {
  const [realA, realB] = await Promise.all([a, b].map((dir) => realpath(dir).catch(() => join(dir))));
  return realA === realB;
}
