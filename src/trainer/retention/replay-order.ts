import { shuffledIndices } from '../../common/seeded-random.js';

/** Which rows each step takes: all of them in an order of the seed, then all in another, and so on. */
export class ReplayOrder {
  private order: Uint32Array = new Uint32Array();
  private pass = -1;

  /** @param cursor rows that were taken before */
  constructor(
    private readonly rows: readonly { readonly length: number }[],
    private readonly seed: number,
    public cursor = 0,
  ) {}

  /** The next rows, as many as it takes to make up so many tokens; at least one. */
  take(tokens: number): number[] {
    const taken: number[] = [];
    for (let sum = 0; sum < tokens;) {
      const row = this.at(this.cursor++);
      taken.push(row);
      sum += this.rows[row]!.length;
    }
    return taken;
  }

  private at(position: number): number {
    const pass = Math.floor(position / this.rows.length);
    if (pass !== this.pass) {
      this.pass = pass;
      // Other numbers than those that shuffle the rows that are trained.
      this.order = shuffledIndices(this.rows.length, this.seed + 2 ** 32 * (pass + 1));
    }
    return this.order[position % this.rows.length]!;
  }
}
