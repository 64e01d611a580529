export interface GenerateOptions {
  /** Most tokens to generate, 1 or more. */
  maxNewTokens: number;
  /** 0 (default): greedy, always the likeliest token. Above: how evenly to sample. */
  temperature?: number;
  /** Sample among this many likeliest tokens. Default: all. */
  topK?: number;
  /** Sample among the likeliest tokens whose probabilities add up to this, above 0 to 1. Default 1. */
  topP?: number;
  /**
   * Makes tokens of the prompt and of the answer so far less likely (above 1) or likelier (below 1): their logits are
   * divided by it where positive, multiplied where negative. Default 1.
   */
  repetitionPenalty?: number;
  /** Seed of the sampling; the same seed gives the same tokens. Row r of a batch uses seed + r. Default 0. */
  seed?: number;
  /** Generation ends after any of these, which is included. Default: the model's eos_token_id. */
  stopTokenIds?: readonly number[];
  signal?: AbortSignal;
}
