// Runs in a worker thread of `TokenizerPool`: turns chunks of chats into tokens.
import { parentPort, workerData } from 'node:worker_threads';
import { Tokenizer, type TokenizerRecipe } from '../../tokenizer/tokenizer.js';
import { collectGarbage } from './collect-garbage.js';
import { ChatTokenizer, type TokenizedRows, type TokenizerFailure } from './chat-tokenizer.js';

/** What a worker is started with. */
export interface TokenizerWorkerData {
  recipe: TokenizerRecipe;
  maxLengthToken: number;
  trainOnHeader: boolean;
}

/** What a worker answers to a chunk, a JSON list of chats. */
export interface TokenizerWorkerAnswer {
  rows: TokenizedRows;
  failures: TokenizerFailure[];
  warnings: string[];
}

const port = parentPort!;
const { recipe, maxLengthToken, trainOnHeader } = workerData as TokenizerWorkerData;
const warnings: string[] = [];
const onWarning = (message: string) => void warnings.push(message);
const chats = new ChatTokenizer(await Tokenizer.again(recipe), maxLengthToken, { trainOnHeader, onWarning });
collectGarbage();

// What is thrown here that is no failure of a chat ends this thread, and with it the work.
port.on('message', async (text: string) => {
  const failures = await chats.addAll(text, async () => {});
  const rows = chats.take();
  const answer: TokenizerWorkerAnswer = {
    rows,
    failures: failures.map(({ cause: _, details, ...failure }) => ({
      ...failure,
      // Plain values but for what a template threw, which cannot be sent.
      details: JSON.parse(JSON.stringify(details)) as Record<string, unknown>,
    })),
    warnings: warnings.splice(0),
  };
  const buffers = [rows.words, rows.lengths, rows.trained].map((list) => list.buffer as ArrayBuffer);
  port.postMessage(answer, buffers);
});
port.postMessage('ready');
