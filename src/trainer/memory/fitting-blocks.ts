import { memoryEstimate, type MemoryInput } from './memory-estimate.js';

/** Of what is free, the share that is left to other processes and to what the estimate does not see. */
export const shareLeft = 1 / 4;

/**
 * How many of the last blocks keep their activations: what the setting says, or with `'auto'` as many as fit.
 * @param room bytes for a micro-batch: what is free, without what weights, gradients and optimizer take
 */
export function fittingBlocks(input: MemoryInput, room: number): number {
  const { gradientCheckpointing } = input.args;
  const all = input.decoder.layers.length;
  if (gradientCheckpointing !== 'auto') return gradientCheckpointing ? 0 : all;
  for (let keptBlocks = all; keptBlocks > 0; keptBlocks--) {
    const { activations, lossChunk } = memoryEstimate({ ...input, keptBlocks });
    if (activations + lossChunk <= (1 - shareLeft) * room) return keptBlocks;
  }
  return 0;
}
