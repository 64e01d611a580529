import { firstOf } from '../../common/first-of.js';
import { AdaptiveTrainerError } from '../../errors.js';
import { takeTextModel } from './take-text-model.js';
import type { WeightFile } from './find-weights.js';

interface Expected {
  name: string;
  shape: number[];
}

/** Tensors that checkpoints carry besides their weights. */
const recomputed = /\.rotary_emb\.inv_freq$|\.att(n|ention)\.(masked_)?bias$/;

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
    `Expected exactly the weights that ${source} describes in ${firstOf(files.map(({ path }) => path))}, found ` +
      `${parts.join('; ')}.${mendOf(missing, extra)}`,
    { details: { missing, misshaped, extra } },
  );
}

/** Text models inside models that see or hear. */
const prefixes = ['language_model.', 'model.language_model.', 'text_model.', 'model.text_model.'];

/** What to do where the names have a prefix too many, as those of a model with more than text. */
function mendOf(missing: readonly string[], extra: readonly string[]): string {
  const prefix = prefixes.find((one) => extra.some((name) => name.startsWith(one)));
  if (prefix === undefined || missing.length === 0) return '';
  return ` The names begin with "${prefix}", as in a model that takes more than text. ${takeTextModel}`;
}

function listed(what: string, names: readonly string[]): string {
  return names.length === 0 ? '' : `${names.length} ${what}: ${firstOf(names)}`;
}

function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((length, i) => length === b[i]);
}
