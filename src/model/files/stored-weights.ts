import type { NamedWeight, StoredTensor } from '../../engine/addon.js';
import type { WeightFile } from './find-weights.js';

/** The tensors of a checkpoint of these weights: those that stand for several (the experts of a layer) one by one. */
export function storedWeights(weights: readonly NamedWeight[]): { name: string; shape: number[] }[] {
  return weights.flatMap(({ name, shape, stored }) =>
    stored === undefined
      ? [{ name, shape }]
      : stored.map((one) => ({ name: one, shape: pieceShape(shape, stored.length) })),
  );
}

/**
 * The files of a checkpoint that holds some weights as transformers 5 does in memory (all experts of a layer in one tensor),
 * with these cut into the tensors that checkpoints have. Others stay as they are.
 */
export function separated(files: readonly WeightFile[], weights: readonly NamedWeight[]): WeightFile[] {
  const whole = new Map(weights.filter(({ stored }) => stored !== undefined).map((one) => [one.name, one]));
  if (whole.size === 0) return [...files];
  return files.map(({ path, tensors }) => ({
    path,
    tensors: tensors.flatMap((tensor) => {
      const weight = whole.get(tensor.name);
      return weight?.shape.join() === tensor.shape.join() ? piecesOf(tensor, weight.stored!) : [tensor];
    }),
  }));
}

function piecesOf(tensor: StoredTensor, names: readonly string[]): StoredTensor[] {
  const bytes = (tensor.end - tensor.begin) / names.length;
  const shape = pieceShape(tensor.shape, names.length);
  return names.map((name, i) => {
    const begin = tensor.begin + i * bytes;
    return { ...tensor, name, shape, begin, end: begin + bytes };
  });
}

function pieceShape(shape: readonly number[], count: number): number[] {
  if (count === 1) return [...shape];
  const rows = shape.slice(0, -1).reduce((product, length) => product * length, 1);
  return [rows / count, shape.at(-1)!];
}
