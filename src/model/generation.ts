import { AdaptiveTrainerError } from '../errors.js';
import type { NativeGeneration, NativeModel } from '../native/addon.js';
import { engineCall } from '../native/engine-call.js';

export interface GenerateOptions {
  /** Most tokens to generate, 1 or more. */
  maxNewTokens: number;
  /** 0 (default): greedy, always the likeliest token. Above: how evenly to sample. */
  temperature?: number;
  /** Sample among this many likeliest tokens. Default: all. */
  topK?: number;
  /** Sample among the likeliest tokens whose probabilities add up to this, above 0 to 1. Default 1. */
  topP?: number;
  /** Seed of the sampling; the same seed gives the same tokens. Default 0. */
  seed?: number;
  /** Generation ends after any of these, which is included. Default: the model's eos_token_id. */
  stopTokenIds?: readonly number[];
  signal?: AbortSignal;
}

interface Start {
  native: NativeModel;
  begin: () => Promise<NativeGeneration>;
  maxNewTokens: number;
  stopTokenIds: readonly number[];
  signal: AbortSignal | undefined;
}

/**
 * Tokens as they are generated: `for await (const id of model.generate(…))`, or all of them at once:
 * `const ids = await model.generate(…)`. Starts when it is first looked at, and can be gone through once.
 */
export class Generation implements AsyncIterable<number>, PromiseLike<number[]> {
  private used = false;

  /** @internal */
  constructor(private readonly start: Start) {}

  async *[Symbol.asyncIterator](): AsyncGenerator<number, void, undefined> {
    if (this.used) {
      throw new AdaptiveTrainerError(
        'INVALID_INPUT',
        'A generation can be gone through once. Call generate() again.',
      );
    }
    this.used = true;
    const { native, begin, maxNewTokens, stopTokenIds, signal } = this.start;
    const session = await engineCall(begin);
    for (let count = 0; count < maxNewTokens; count++) {
      if (signal?.aborted)
        throw new AdaptiveTrainerError('ABORTED', 'The generation was aborted.', { cause: signal.reason });
      const token = await engineCall(() => native.nextToken(session));
      yield token;
      if (stopTokenIds.includes(token)) return;
    }
  }

  then<Fulfilled = number[], Rejected = never>(
    onFulfilled?: ((ids: number[]) => Fulfilled | PromiseLike<Fulfilled>) | null,
    onRejected?: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Fulfilled | Rejected> {
    return this.collect().then(onFulfilled, onRejected);
  }

  private async collect(): Promise<number[]> {
    const ids: number[] = [];
    for await (const id of this) ids.push(id);
    return ids;
  }
}
