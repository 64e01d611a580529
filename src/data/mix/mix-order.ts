import type { Mixing } from '../../config/datasets/plan-mixing.js';
import { seededRandom, shuffledIndices } from '../../common/seeded-random.js';

/**
 * The order of the mixed rows. A number stands for a row: those of the first dataset come first, then those of the
 * second, and so on.
 *
 * @param sizes rows per dataset, none of them 0
 */
export function mixOrder(sizes: readonly number[], mixing: Mixing, seed: number): Uint32Array {
  const total = sizes.reduce((sum, size) => sum + size, 0);
  if (mixing.mode === 'concat') return shuffledIndices(total, seed);
  const random = seededRandom(seed);
  const decks = sizes.map((size, dataset) => new Deck(size, seed + 1 + dataset));
  const starts = sizes.map((_, dataset) => sizes.slice(0, dataset).reduce((sum, size) => sum + size, 0));
  const order: number[] = [];
  const isOver = () =>
    mixing.stop === 'first_exhausted'
      ? decks.some((deck) => deck.isExhausted)
      : decks.every((deck) => deck.isExhausted);
  while (!isOver()) {
    const dataset = pick(mixing.probabilities, random());
    order.push(starts[dataset]! + decks[dataset]!.draw());
  }
  return Uint32Array.from(order);
}

/** The rows of one dataset in random order, and again in another one when they have all been drawn. */
class Deck {
  isExhausted = false;
  private rows: Uint32Array;
  private at = 0;
  private round = 0;

  constructor(
    private readonly size: number,
    private readonly seed: number,
  ) {
    this.rows = shuffledIndices(size, seed);
  }

  draw(): number {
    if (this.at === this.size) {
      this.rows = shuffledIndices(this.size, this.seed + ++this.round * 7919);
      this.at = 0;
    }
    const row = this.rows[this.at++]!;
    if (this.at === this.size) this.isExhausted = true;
    return row;
  }
}

function pick(probabilities: readonly number[], random: number): number {
  let sum = 0;
  for (const [index, probability] of probabilities.entries()) {
    sum += probability;
    if (random < sum) return index;
  }
  return probabilities.length - 1; // the sum of floats may stay a hair below 1
}
