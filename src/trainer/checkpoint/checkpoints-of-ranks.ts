import type { CausalLM } from '../../model/causal-lm.js';
import type { Ranks } from '../../ranks/ranks.js';
import type { Checkpoints } from './checkpoints.js';
import type { Fingerprint, RunState } from './run-state.js';

/** Opens the output folder at rank 0, see Checkpoints.open(), whose run the others follow. */
export async function openCheckpoints(
  ranks: Ranks,
  checkpoints: Checkpoints,
  resumeFrom: boolean | string | null,
): Promise<void> {
  const isNewAttempt = (ranks.launch?.attempt ?? 0) > 0;
  // Started anew after a rank failed, all go on from what this run has saved.
  const begun = isNewAttempt ? await ranks.recall() : undefined;
  await ranks.together(async () => {
    if (ranks.isFirst) await checkpoints.open(resumeFrom, begun);
  });
  const runId = await ranks.fromFirst(checkpoints.runId);
  if (!ranks.isFirst) checkpoints.follow(runId);
  await ranks.remember(runId);
}

/** Puts the model where a checkpoint left it, which rank 0 reads and the others are given. See Checkpoints.resume(). */
export async function resumeCheckpoint(
  { ranks, model, fingerprint }: { ranks: Ranks; model: CausalLM; fingerprint: () => Promise<Fingerprint> },
  checkpoints: Checkpoints,
  rows: number | undefined,
): Promise<RunState | undefined> {
  const own = await ranks.together(async () =>
    ranks.isFirst ? checkpoints.resume(fingerprint, rows) : undefined,
  );
  if (ranks.size === 1) return own;
  const state = JSON.parse(await ranks.fromFirst(JSON.stringify(own ?? null))) as RunState | null;
  // What an adapter starts with is compared nowhere: it is rank 0's.
  if (state !== null || model.adapter !== undefined) await model.call((native) => native.copyFromFirstRank());
  if (state === null) return undefined;
  if (!ranks.isFirst) checkpoints.follow(state.runId, state);
  return state;
}
