import type { MemoryReport } from '../../events/memory-report.js';

/** What `gradientCheckpointing: 'auto'` chose, and why. */
export function keptBlocksText({ kept, all }: NonNullable<MemoryReport['keptBlocks']>): string {
  if (kept === all) return `activations of all ${all} blocks are kept: they fit`;
  if (kept === 0) return `all ${all} blocks are recomputed in backward: their activations do not fit`;
  return `activations of ${kept} of ${all} blocks are kept, as many as fit; the others are recomputed`;
}
