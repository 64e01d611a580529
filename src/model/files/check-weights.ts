import { AdaptiveTrainerError } from '../../errors.js';
import type { WeightFile } from './find-weights.js';

interface Expected {
  name: string;
  shape: number[];
}

/** Tensors that checkpoints carry besides their weights. */
const recomputed = /\.rotary_emb\.inv_freq$|\.attn\.(masked_)?bias$/;

/**
 * Compares what a model needs with what its files hold.
 * @throws AdaptiveTrainerError WEIGHTS_MISMATCH listing every missing, extra and mis-shaped tensor
 */
export function checkWeights(
  needed: readonly Expected[],
  files: readonly WeightFile[],
  source = 'config.json',
): void {
  const found = new Map(files.flatMap(({ tensors }) => tensors.map((tensor) => [tensor.name, tensor.shape])));
  const missing = needed.filter(({ name }) => !found.has(name)).map(({ name }) => name);
  const misshaped = needed.flatMap(({ name, shape }) => {
    const actual = found.get(name);
    return actual === undefined || sameShape(shape, actual)
      ? []
      : [`${name} (expected ${JSON.stringify(shape)}, found ${JSON.stringify(actual)})`];
  });
  const known = new Set(needed.map(({ name }) => name));
  const extra = [...found.keys()].filter((name) => !known.has(name) && !recomputed.test(name));
  if (missing.length + misshaped.length + extra.length === 0) return;
  const parts = [
    listed('missing', missing),
    listed('of another shape', misshaped),
    listed('not part of this architecture', extra),
  ].filter((part) => part !== '');
  throw new AdaptiveTrainerError(
    'WEIGHTS_MISMATCH',
    `Expected exactly the weights that ${source} describes in ${files.map(({ path }) => path).join(', ')}, found ` +
      `${parts.join('; ')}.`,
    { details: { missing, misshaped, extra } },
  );
}

function listed(what: string, names: readonly string[]): string {
  return names.length === 0 ? '' : `${names.length} ${what}: ${names.join(', ')}`;
}

function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((length, i) => length === b[i]);
}
