import type { TrainingConfig } from '../../config/schema/parsed-config.js';
import type { PagingRequest } from '../../engine/addon.js';
import type { StatePlaces } from '../../events/memory-report.js';
import type { RunMemory } from './block-keeper.js';
import { memoryEstimate } from './memory-estimate.js';

// As in native/core/optim/paging.h.
const spareBytes = 256 * 2 ** 20;
const spareShare = 1 / 16;
const pieceValues = 2 ** 22;

/** Whether an optimizer's states may leave a device with memory of its own. */
export function isPaged(optimizer: TrainingConfig['optimizer']): boolean {
  return optimizer.startsWith('paged_');
}

/**
 * What a paged optimizer is told of the rest of a step; nothing for one that is not paged.
 * @param largest the largest micro-batch; undefined where rows are streamed
 */
export function pagingRequest(
  run: RunMemory,
  largest: { tokens: number; labelledTokens: number } | undefined,
): { paged?: PagingRequest } {
  if (!isPaged(run.args.optimizer)) return {};
  if (largest === undefined) return { paged: {} };
  // Activations are kept in what the states leave, not the other way round.
  const input = { ...run, ...largest, keptBlocks: 0, base: 0, available: Infinity };
  const { activations, lossChunk } = memoryEstimate(input);
  return { paged: { restOfStep: Math.ceil(activations + lossChunk) } };
}

/**
 * Where the states of a paged optimizer will lie on a device with memory of its own, for an estimate before there is a model.
 * The engine decides by what is really free as it makes them, weight by weight: the largest that do not fit are paged.
 * @param states bytes of all states
 * @param values trained weights
 * @param free bytes of the device that the weights leave
 * @param gradients bytes
 * @param restOfStep bytes of activations and logits
 */
export function statePlaces({
  states,
  values,
  free,
  gradients,
  restOfStep,
}: {
  states: number;
  values: number;
  free: number;
  gradients: number;
  restOfStep: number;
}): StatePlaces {
  const room = free - gradients - Math.max(spareBytes, spareShare * free) - restOfStep;
  if (states <= room) return { held: states, paged: 0 };
  const buffers = values > 0 ? (2 * Math.min(pieceValues, values) * states) / values : 0;
  const staying = Math.max(0, Math.min(states, Math.floor(room - buffers)));
  return { held: Math.ceil(staying + buffers), paged: states - staying };
}
