import { losslessJson } from '../../common/lossless-json.js';
import { AdaptiveTrainerError, type ErrorCode } from '../../errors.js';
import type { Chat } from '../../events/chat.js';
import type { EncodeChatOptions } from '../../tokenizer/encode/encode-chat.js';
import { encodeRow } from './encode-row.js';
import type { Tokenizer } from '../../tokenizer/tokenizer.js';
import { GrowingUint32 } from './growing-uint32.js';
import { tokenWord } from './token-word.js';

/** Rows as tokens, joined, and counts of the others. Typed arrays alone hold what grows with the data. */
export interface TokenizedRows {
  /** See `tokenWord`. */
  words: Uint32Array;
  /** Tokens per row that was kept. */
  lengths: Uint32Array;
  /** Trained tokens per row that was kept. */
  trained: Uint32Array;
  tooLong: number;
  /** Tokens of the shortest row that was too long and encoded; Infinity where there is none. */
  shortestTooLong: number;
  /** The same of those that were not, as their text told: how many the shortest has at least. */
  leastTooLong: number;
  noTrainedToken: number;
  /** What the chat template left out of rows; see `RenderedAnswers`. */
  remarks: string[];
}

/** A chat that could not be tokenized. */
export interface TokenizerFailure {
  /** Its place among the chats of its chunk. */
  row: number;
  code: ErrorCode;
  message: string;
  details: Record<string, unknown>;
  /** Only on the main thread: it does not get across. */
  cause?: unknown;
}

/** Renders chats, encodes them and leaves out what cannot be trained on. The same on any thread. */
export class ChatTokenizer {
  private readonly words = new GrowingUint32();
  private readonly lengths = new GrowingUint32();
  private readonly trained = new GrowingUint32();
  private tooLong = 0;
  private shortestTooLong = Infinity;
  private leastTooLong = Infinity;
  private noTrainedToken = 0;
  private remarks = new Set<string>();

  constructor(
    private readonly tokenizer: Tokenizer,
    private readonly maxLengthToken: number,
    private readonly options: EncodeChatOptions,
  ) {}

  /** @throws AdaptiveTrainerError see `encodeChat` */
  add(chat: Chat): void {
    const encoded = encodeRow(this.tokenizer, chat, this.options, this.maxLengthToken);
    if ('least' in encoded) {
      this.tooLong++;
      this.leastTooLong = Math.min(this.leastTooLong, encoded.least);
      return;
    }
    const { inputIds, labels } = encoded;
    for (const part of encoded.remarks) this.remarks.add(part);
    if (inputIds.length > this.maxLengthToken) {
      this.tooLong++;
      this.shortestTooLong = Math.min(this.shortestTooLong, inputIds.length);
      return;
    }
    let trained = 0;
    const words = new Uint32Array(inputIds.length);
    for (let at = 0; at < words.length; at++) {
      const isTrained = labels[at] !== -100;
      words[at] = tokenWord.of(inputIds[at] as number, isTrained);
      // The first label is never used: no token comes before it to predict it from.
      if (isTrained && at > 0) trained++;
    }
    if (trained === 0) {
      this.noTrainedToken++;
      return;
    }
    this.words.append(words);
    this.lengths.append(Uint32Array.of(words.length));
    this.trained.append(Uint32Array.of(trained));
  }

  /**
   * Adds the chats of a chunk, and gives back those that could not be.
   * @param text a JSON list of chats
   * @param breathe called after each
   */
  async addAll(text: string, breathe: (row: number) => Promise<void>): Promise<TokenizerFailure[]> {
    const failures: TokenizerFailure[] = [];
    for (const [row, chat] of (losslessJson.parse(text) as Chat[]).entries()) {
      try {
        this.add(chat);
      } catch (cause) {
        if (!AdaptiveTrainerError.isInstance(cause)) throw cause;
        failures.push({
          row,
          code: cause.code,
          message: cause.message,
          details: { ...cause.details },
          cause,
        });
      }
      await breathe(row + 1);
    }
    return failures;
  }

  /** What came together since the last call. */
  take(): TokenizedRows {
    const { tooLong, shortestTooLong, leastTooLong, noTrainedToken } = this;
    const taken = {
      words: this.words.take(),
      lengths: this.lengths.take(),
      trained: this.trained.take(),
      tooLong,
      shortestTooLong,
      leastTooLong,
      noTrainedToken,
      remarks: [...this.remarks],
    };
    this.remarks = new Set();
    [this.tooLong, this.noTrainedToken] = [0, 0];
    [this.shortestTooLong, this.leastTooLong] = [Infinity, Infinity];
    return taken;
  }
}
