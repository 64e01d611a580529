import { AdaptiveTrainerError } from '../../errors.js';
import { chatChunks, type ChatChunk } from '../chats/chat-chunks.js';
import { ChatSpool } from '../chats/chat-spool.js';
import { badRow } from '../chats/bad-row.js';
import type { DatasetPlan } from '../../config/datasets/dataset-plan.js';
import type { BadRow } from '../../events/dataset-report.js';
import type { Sample } from '../sources/dataset-source.js';
import type { MixContext } from '../mix/mix-context.js';
import type { TokenRows } from './token-rows.js';
import { TokenWriter } from './token-writer.js';
import type { TokenizerFailure } from './chat-tokenizer.js';
import type { TokenizerWorkerAnswer } from './tokenizer-worker.js';

/** Counts of the rows of one split: used, and left out for each reason. */
export interface SplitCounts {
  read: number;
  tooLong: number;
  noTrainedToken: number;
  skipped: number;
  /** Rows that could not be used and were left out. */
  bad: number;
  /** Tokens of the shortest row that was too long and encoded; null where none was. */
  shortestTooLong: number | null;
  /** How many tokens the shortest of those has at least that were not encoded; null where there is none. */
  leastTooLong: number | null;
}

/** The usable rows of one split, and counts of the others. */
export interface EncodedSplit extends SplitCounts {
  /** The first of those that could not be used. */
  badRows: BadRow[];
  ignoredColumns: string[];
  /** What of the configuration and the rows no token was made of; see `unusedPartsNotes`. */
  remarks: string[];
  rows: TokenRows;
}

/** What is stored beside cached tokens. */
interface Note {
  counts: SplitCounts;
  badRows: BadRow[];
  ignoredColumns: string[];
  remarks: string[];
  warnings: string[];
}

// Below both, starting threads and looking into the cache would take longer than the work.
const fewRows = 2000;
const fewCharacters = 1 << 22;

/**
 * Turns the rows of a split into tokens, and leaves out what cannot be trained on: on this thread while there are few,
 * else in worker threads, or out of the cache.
 *
 * @param files where the rows come from; undefined for rows in memory
 * @throws AdaptiveTrainerError `DATASET_INVALID` or `CHAT_TEMPLATE_FAILED`, naming dataset and row
 */
export async function encodeSplit(
  plan: DatasetPlan,
  split: 'train' | 'eval',
  samples: AsyncIterable<Sample>,
  files: readonly string[] | undefined,
  context: MixContext,
): Promise<EncodedSplit> {
  return new SplitEncoder(plan, split, context).encode(samples, files);
}

class SplitEncoder {
  private readonly note: Note = {
    counts: {
      read: 0,
      tooLong: 0,
      noTrainedToken: 0,
      skipped: 0,
      bad: 0,
      shortestTooLong: null,
      leastTooLong: null,
    },
    badRows: [],
    ignoredColumns: [],
    remarks: [],
    warnings: [],
  };

  constructor(
    private readonly plan: DatasetPlan,
    private readonly split: 'train' | 'eval',
    private readonly context: MixContext,
  ) {}

  async encode(samples: AsyncIterable<Sample>, files: readonly string[] | undefined): Promise<EncodedSplit> {
    const chunks = chatChunks(this.plan, samples, this.context.pacer);
    const head: ChatChunk[] = [];
    if (!(await isLarge(chunks, head))) return this.tokenize(head, undefined, false);
    const { cache } = this.context;
    const all = joined(head, chunks);
    if (cache === null) return this.tokenize(all, undefined, true);
    if (files !== undefined && this.plan.process === null) {
      const path = await cache.pathOfFiles(this.plan, files);
      const found = await this.cached(path);
      if (found === undefined) return this.tokenize(all, path, true);
      await chunks.return(undefined); // closes the file
      return found;
    }
    const spool = new ChatSpool();
    try {
      for await (const chunk of all) {
        await spool.add(chunk);
        this.report(chunk.read, 0);
      }
      const path = cache.pathOfChats(spool.digest());
      return (await this.cached(path)) ?? (await this.tokenize(spool.chunks(), path, true));
    } finally {
      await spool.close();
    }
  }

  private async cached(path: string): Promise<EncodedSplit | undefined> {
    const found = await this.context.cache?.open(path);
    if (found === undefined) return undefined;
    const { counts, badRows, ignoredColumns, remarks, warnings } = found.note as Note;
    if (counts.bad > 0 && this.plan.onBadRow === 'stop') return undefined; // reading it again will tell which
    warnings.forEach(this.context.warnOnce);
    this.report(counts.read, 1, true);
    return { rows: found.rows, ...counts, badRows, ignoredColumns, remarks };
  }

  /** @param path where the tokens are kept; undefined: nowhere */
  private async tokenize(
    chunks: Iterable<ChatChunk> | AsyncIterable<ChatChunk>,
    path: string | undefined,
    inThreads: boolean,
  ): Promise<EncodedSplit> {
    const pool = inThreads ? await this.context.pool() : undefined;
    const writer = new TokenWriter(path);
    const waiting: { chunk: ChatChunk; answer: Promise<TokenizerWorkerAnswer> }[] = [];
    const settle = async () => {
      const next = waiting.shift();
      if (next !== undefined) await this.keep(writer, next.chunk, await next.answer);
    };
    try {
      for await (const chunk of chunks) {
        const answer = pool === undefined ? this.onThisThread(chunk) : pool.tokenize(chunk.text);
        answer.catch(() => {}); // it is awaited in its turn, if it comes to that
        waiting.push({ chunk, answer });
        if (waiting.length >= (pool?.capacity ?? 1)) await settle();
      }
      while (waiting.length > 0) await settle();
      const rows = await writer.finish(this.note);
      const { counts, badRows, ignoredColumns, remarks } = this.note;
      return { rows, ...counts, badRows, ignoredColumns, remarks };
    } catch (error) {
      await writer.discard();
      if (!AdaptiveTrainerError.isInstance(error, 'OUT_OF_MEMORY')) throw error;
      const { name: dataset, path } = this.plan;
      throw new AdaptiveTrainerError(error.code, `Dataset "${dataset}" (${path}): ${error.message}`, {
        details: { dataset },
        cause: error,
      });
    }
  }

  private async keep(writer: TokenWriter, chunk: ChatChunk, answer: TokenizerWorkerAnswer): Promise<void> {
    const { counts, badRows, ignoredColumns, remarks, warnings } = this.note;
    const failed = answer.failures.map((failure) =>
      badRow.orThrow(this.plan, chunk.rows[failure.row]!, this.failure(chunk, failure)),
    );
    for (const row of [...chunk.bad, ...failed]) {
      counts.bad++;
      if (badRows.length < badRow.mostListed) badRows.push(row);
    }
    ignoredColumns.push(...chunk.ignored);
    for (const part of [...chunk.remarks, ...answer.rows.remarks])
      if (!remarks.includes(part)) remarks.push(part);
    await writer.append(answer.rows);
    const { tooLong, noTrainedToken, shortestTooLong, leastTooLong } = answer.rows;
    counts.tooLong += tooLong;
    counts.noTrainedToken += noTrainedToken;
    counts.shortestTooLong = lesser(counts.shortestTooLong, shortestTooLong);
    counts.leastTooLong = lesser(counts.leastTooLong, leastTooLong);
    [counts.read, counts.skipped] = [chunk.read, chunk.skipped];
    for (const warning of answer.warnings) {
      if (!warnings.includes(warning)) warnings.push(warning);
      this.context.warnOnce(warning);
    }
    this.report(chunk.read, chunk.done);
  }

  private async onThisThread(chunk: ChatChunk): Promise<TokenizerWorkerAnswer> {
    const { chats, pacer, takeWarnings } = this.context;
    const failures = await chats.addAll(chunk.text, async (row) => {
      if (await pacer.breathe()) this.report(chunk.read - chunk.rows.length + row, chunk.done);
    });
    return { rows: chats.take(), failures, warnings: takeWarnings() };
  }

  private failure(chunk: ChatChunk, { row, code, message, details, cause }: TokenizerFailure): Error {
    const { index, where } = chunk.rows[row]!;
    const { name, path } = this.plan;
    return new AdaptiveTrainerError(code, `Dataset "${name}" (${path}), ${where}: ${message}`, {
      details: { ...details, reason: message, dataset: name, row: index, where },
      cause,
    });
  }

  private report(rows: number, done: number, isCached = false): void {
    const { name: dataset, style } = this.plan;
    this.context.onProgress({ dataset, style, split: this.split, rows, done, isCached });
  }
}

/** Null stands for none, which JSON has; so does Infinity. */
function lesser(one: number | null, other: number): number | null {
  return other === Infinity ? one : Math.min(one ?? Infinity, other);
}

/** Takes chunks until they are no longer few. False when that was all. */
async function isLarge(chunks: AsyncIterator<ChatChunk>, head: ChatChunk[]): Promise<boolean> {
  let [rows, characters] = [0, 0];
  while (rows < fewRows && characters < fewCharacters) {
    const next = await chunks.next();
    if (next.done === true) return false;
    head.push(next.value);
    rows += next.value.rows.length;
    characters += next.value.text.length;
  }
  return true;
}

async function* joined(
  head: readonly ChatChunk[],
  rest: AsyncIterable<ChatChunk>,
): AsyncGenerator<ChatChunk> {
  yield* head;
  yield* rest;
}
