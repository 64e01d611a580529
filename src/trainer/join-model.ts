import { deviceCollectives } from '../engine/device/device-collectives.js';
import type { WarningEvent } from '../events/training-event.js';
import type { CausalLM } from '../model/causal-lm.js';
import { compareRanks } from '../ranks/compare-ranks.js';
import type { Ranks } from '../ranks/ranks.js';

/**
 * Trains the model together with the other ranks from now on.
 * @returns a warning where what is on GPUs is summed by way of the host
 * @throws AdaptiveTrainerError RANKS_DIFFER where some ranks compute on GPUs and others do not; RANKS_FAILED
 */
export async function joinModel(model: CausalLM, ranks: Ranks): Promise<WarningEvent | undefined> {
  const isOnCpu = model.device === 'cpu';
  await compareRanks(ranks, { device: isOnCpu ? 'cpu' : 'cuda' });
  const collectives = isOnCpu || ranks.size === 1 ? undefined : deviceCollectives();
  const request = { ranks: ranks.native, collectives };
  const reason = await model.call((native) => native.joinRanks(request));
  if (reason === undefined) return undefined;
  const message =
    `What the ranks hold on ${model.device} is summed by way of the host, which is slower than over NCCL: ` +
    `${reason.replace(/\.$/, '')} (docs/ranks.md).`;
  return { type: 'warning', code: 'RANKS_BY_HOST', message };
}
