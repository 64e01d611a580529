import { format } from '../../common/format.js';
import type { MemoryEstimate } from '../../events/memory-report.js';

const names = {
  weights: 'weights',
  gradients: 'gradients',
  optimizer: 'optimizer',
  activations: 'activations',
  lossChunk: 'loss chunk',
  numerators: 'kept numerators',
  base: 'base',
} as const;

/** What an estimate is made of, in words: `weights 4.10 GiB`. */
export function memoryParts(estimate: MemoryEstimate): string[] {
  return Object.entries(names).flatMap(([part, name]) => {
    const bytes = estimate[part as keyof typeof names];
    return bytes === undefined ? [] : [`${name} ${format.bytes(bytes)}`];
  });
}
