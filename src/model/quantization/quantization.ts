import { expectInput } from '../../common/expect-input.js';
import { isPlainObject } from '../../common/is-plain-object.js';
import type { NamedWeight, QuantizedWeight } from '../../engine/addon.js';

/** What a frozen base is kept in: 4 bits (NF4 or FP4) or 8, as bitsandbytes does. */
export type QuantizationType = 'nf4' | 'fp4' | 'int8';

/** How to keep the projections of a model in fewer bits. They are frozen: an adapter is what is trained. */
export interface QuantizationOptions {
  /** Default `nf4`. */
  type?: QuantizationType;
  /** Keep the scales of 4-bit blocks in 8 bits, too. Default true. */
  doubleQuant?: boolean;
  /**
   * Modules to keep whole beside embeddings, head and norms, by transformers' rules: beginnings of names, as regular
   * expressions, or ends of names. Default none.
   */
  skipModules?: readonly string[];
}

/** What a model keeps in fewer bits. */
export interface Quantization {
  type: QuantizationType;
  doubleQuant: boolean;
  /** Names of the weights. */
  weights: readonly string[];
  /** Values that they have. */
  parameters: number;
  /** Bytes that they take. */
  bytes: number;
}

/** Entries that share a scale, and scales that share one, where a weight is quantised here. */
export const blockSize = 64;
const nestedBlock = 256;

/** @throws AdaptiveTrainerError INVALID_INPUT */
export function checkQuantization(options: QuantizationOptions): void {
  expectInput(isPlainObject(options), 'quantization', 'an object', options);
  const { type = 'nf4', doubleQuant = true, skipModules = [] } = options;
  const types: readonly unknown[] = ['nf4', 'fp4', 'int8'];
  expectInput(types.includes(type), 'quantization.type', '"nf4", "fp4" or "int8"', type);
  expectInput(typeof doubleQuant === 'boolean', 'quantization.doubleQuant', 'true or false', doubleQuant);
  const isList = Array.isArray(skipModules) && skipModules.every((name) => typeof name === 'string');
  expectInput(isList, 'quantization.skipModules', 'a list of names of modules', skipModules);
}

/** What is known of quantised weights, as the engine keeps them. */
export function describeQuantization(
  weights: readonly QuantizedWeight[],
  parameters: readonly NamedWeight[],
): Quantization | undefined {
  const [first] = weights;
  if (first === undefined) return undefined;
  const shapes = new Map(parameters.map(({ name, shape }) => [name, shape]));
  let [count, bytes] = [0, 0];
  for (const weight of weights) {
    const shape = shapes.get(weight.name) ?? [];
    const size = shape.reduce((product, length) => product * length, 1);
    count += size;
    bytes += bytesOf(weight, size, shape[0] ?? 0);
  }
  const { type, nested: doubleQuant } = first;
  return { type, doubleQuant, weights: weights.map(({ name }) => name).sort(), parameters: count, bytes };
}

function bytesOf({ type, nested, blockSize }: QuantizedWeight, size: number, rows: number): number {
  if (type === 'int8') return size + 4 * rows;
  const blocks = Math.ceil(size / blockSize);
  const scales = nested ? blocks + 4 * (Math.ceil(blocks / nestedBlock) + 256) : 4 * blocks;
  return Math.ceil(size / 2) + scales + 4 * 16;
}
