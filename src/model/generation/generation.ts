import { AdaptiveTrainerError } from '../../errors.js';

/**
 * What is generated: step by step as it comes with `for await (const step of generation)`, or all at once with
 * `await generation.collect()`. Starts when its first step is asked for, and can be read once. It is not a promise: an
 * async function may return one without using it up.
 *
 * For one prompt a step is a token id and the whole a list of them. For a batch a step has an id per row, -1 for rows that
 * have ended, and the whole is a list of ids per row.
 */
export class Generation<Step, Whole> implements AsyncIterable<Step> {
  private used = false;

  /** @internal */
  constructor(
    private readonly begin: () => AsyncGenerator<Int32Array, void, undefined>,
    private readonly stepOf: (ids: Int32Array) => Step,
    private readonly wholeOf: (steps: readonly Step[]) => Whole,
  ) {}

  /** @throws AdaptiveTrainerError INVALID_INPUT when it was read before, ABORTED, DISPOSED */
  async *[Symbol.asyncIterator](): AsyncGenerator<Step, void, undefined> {
    if (this.used) {
      throw new AdaptiveTrainerError(
        'INVALID_INPUT',
        'Expected a generation that nothing was read from, found one that was used up: each can be read once. Call generate() again.',
      );
    }
    this.used = true;
    for await (const ids of this.begin()) yield this.stepOf(ids);
  }

  /**
   * All of it, once the last step has come.
   * @throws AdaptiveTrainerError as iterating does
   */
  async collect(): Promise<Whole> {
    const steps: Step[] = [];
    for await (const step of this) steps.push(step);
    return this.wholeOf(steps);
  }
}
