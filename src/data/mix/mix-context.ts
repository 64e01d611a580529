import type { Tokenizer } from '../../tokenizer/tokenizer.js';
import { tokenizerFingerprint } from '../../tokenizer/tokenizer-fingerprint.js';
import { ChatTokenizer } from '../tokens/chat-tokenizer.js';
import { collectGarbage } from '../tokens/collect-garbage.js';
import { EventLoopPacer } from '../tokens/event-loop-pacer.js';
import type { MixProgress } from '../../events/dataset-report.js';
import { TokenCache } from '../tokens/token-cache.js';
import { TokenizerPool } from '../tokens/tokenizer-pool.js';

/** How rows become tokens, for all datasets of a mix. */
export interface MixSettings {
  tokenizer: Tokenizer;
  maxLengthToken: number;
  trainOnHeader: boolean;
  /** Folder of the token cache; undefined: that of the machine; null: none. */
  cacheDir: string | null | undefined;
  onProgress: (progress: MixProgress) => void;
  onWarning: (message: string) => void;
  signal?: AbortSignal | undefined;
}

/** What turning the splits of one mix into tokens shares: threads, cache, and what has been said. */
export class MixContext {
  readonly pacer: EventLoopPacer;
  /** For this thread. */
  readonly chats: ChatTokenizer;
  /** Null: nothing is kept. */
  readonly cache: TokenCache | null;
  readonly onProgress: (progress: MixProgress) => void;
  private readonly said = new Set<string>();
  private fresh: string[] = [];
  private starting: Promise<TokenizerPool | undefined> | undefined;

  private constructor(
    private readonly settings: MixSettings,
    fingerprint: string | null,
  ) {
    const { tokenizer, maxLengthToken, trainOnHeader, cacheDir, onProgress, signal } = settings;
    this.pacer = new EventLoopPacer(signal);
    const onWarning = (message: string) => void this.fresh.push(message);
    this.chats = new ChatTokenizer(tokenizer, maxLengthToken, { trainOnHeader, onWarning });
    this.cache =
      fingerprint === null || cacheDir === null
        ? null
        : new TokenCache([fingerprint, maxLengthToken, trainOnHeader], cacheDir);
    this.onProgress = onProgress;
  }

  static async create(settings: MixSettings): Promise<MixContext> {
    const wantsCache = settings.cacheDir !== null;
    return new MixContext(settings, wantsCache ? await tokenizerFingerprint(settings.tokenizer) : null);
  }

  /** The worker threads, started when they are first asked for. Undefined where they cannot be. */
  pool(): Promise<TokenizerPool | undefined> {
    const { tokenizer, maxLengthToken, trainOnHeader } = this.settings;
    if (this.starting === undefined) collectGarbage();
    this.starting ??= TokenizerPool.start({ recipe: tokenizer.recipe, maxLengthToken, trainOnHeader }).catch(
      (error: unknown) => {
        this.warnOnce(
          `Worker threads cannot be started (${String(error)}); all rows are tokenized on one thread, which takes longer.`,
        );
        return undefined;
      },
    );
    return this.starting;
  }

  /** Each thread finds out about the same things; they are said once. */
  readonly warnOnce = (message: string): void => {
    if (this.said.has(message)) return;
    this.said.add(message);
    this.settings.onWarning(message);
  };

  /** What tokenizing on this thread warned of since the last call. */
  readonly takeWarnings = (): string[] => this.fresh.splice(0);

  /** Ends the threads; others are started should they be asked for again. */
  async close(): Promise<void> {
    const { starting } = this;
    this.starting = undefined;
    if (starting === undefined) return;
    await (await starting)?.close();
    await this.cache?.prune();
  }
}
