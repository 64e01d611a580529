// Runs in a worker thread of `TokenizerPool`: turns chunks of chats into tokens.
import { parentPort, workerData } from 'node:worker_threads';
import { AdaptiveTrainerError, type ErrorCode } from '../../errors.js';
import type { ChatMessage } from '../../events/chat-message.js';
import { Tokenizer, type TokenizerRecipe } from '../../tokenizer/tokenizer.js';
import { collectGarbage } from './collect-garbage.js';
import { ChatTokenizer, type TokenizedRows } from './chat-tokenizer.js';

/** What a worker is started with. */
export interface TokenizerWorkerData {
  recipe: TokenizerRecipe;
  maxLengthToken: number;
  trainOnHeader: boolean;
}

/** What a worker answers to a chunk, a JSON list of chats. */
export type TokenizerWorkerAnswer =
  | { rows: TokenizedRows; warnings: string[] }
  /** `row`: which chat of the chunk failed. */
  | {
      row: number;
      code: ErrorCode | undefined;
      message: string;
      details: Record<string, unknown>;
      /** Only on the main thread: it does not get across. */
      cause?: unknown;
    };

const port = parentPort!;
const { recipe, maxLengthToken, trainOnHeader } = workerData as TokenizerWorkerData;
const warnings: string[] = [];
const onWarning = (message: string) => void warnings.push(message);
const chats = new ChatTokenizer(await Tokenizer.again(recipe), maxLengthToken, { trainOnHeader, onWarning });
collectGarbage();

port.on('message', (text: string) => {
  let row = 0;
  try {
    for (const chat of JSON.parse(text) as ChatMessage[][]) {
      chats.add(chat);
      row++;
    }
    const rows = chats.take();
    const answer: TokenizerWorkerAnswer = { rows, warnings: warnings.splice(0) };
    const buffers = [rows.words, rows.lengths, rows.trained].map((list) => list.buffer as ArrayBuffer);
    port.postMessage(answer, buffers);
  } catch (error) {
    const known = AdaptiveTrainerError.isInstance(error) ? error : undefined;
    const message = error instanceof Error ? error.message : String(error);
    // Details are made of plain values but for what a template threw, which cannot be sent.
    const details =
      known === undefined ? {} : (JSON.parse(JSON.stringify(known.details)) as Record<string, unknown>);
    port.postMessage({ row, code: known?.code, message, details } satisfies TokenizerWorkerAnswer);
  }
});
port.postMessage('ready');
