import { AdaptiveTrainerError } from '../../errors.js';

/**
 * What is generated, step by step as it comes (`for await (const step of …)`) or all at once (`await …`). Starts when it
 * is first looked at, and can be gone through once.
 *
 * For one prompt a step is a token id and the whole a list of them. For a batch a step has an id per row, -1 for rows that
 * have ended, and the whole is a list of ids per row.
 */
export class Generation<Step, Whole> implements AsyncIterable<Step>, PromiseLike<Whole> {
  private used = false;

  /** @internal */
  constructor(
    private readonly begin: () => AsyncGenerator<Int32Array, void, undefined>,
    private readonly stepOf: (tokens: Int32Array) => Step,
    private readonly wholeOf: (steps: readonly Step[]) => Whole,
  ) {}

  async *[Symbol.asyncIterator](): AsyncGenerator<Step, void, undefined> {
    if (this.used) {
      throw new AdaptiveTrainerError(
        'INVALID_INPUT',
        'A generation can be gone through once. Call generate() again.',
      );
    }
    this.used = true;
    for await (const tokens of this.begin()) yield this.stepOf(tokens);
  }

  then<Fulfilled = Whole, Rejected = never>(
    onFulfilled?: ((whole: Whole) => Fulfilled | PromiseLike<Fulfilled>) | null,
    onRejected?: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Fulfilled | Rejected> {
    return this.collect().then(onFulfilled, onRejected);
  }

  private async collect(): Promise<Whole> {
    const steps: Step[] = [];
    for await (const step of this) steps.push(step);
    return this.wholeOf(steps);
  }
}
