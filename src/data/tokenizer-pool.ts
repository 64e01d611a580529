import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { AdaptiveTrainerError } from '../errors.js';
import type { TokenizerWorkerAnswer, TokenizerWorkerData } from './tokenizer-worker.js';

/** A chunk's answer is awaited by one of these. */
interface Job {
  text: string;
  resolve: (answer: TokenizerWorkerAnswer) => void;
  reject: (error: unknown) => void;
}

/** Worker threads that tokenize, one per core. */
export class TokenizerPool {
  private readonly queue: Job[] = [];
  private readonly running = new Map<Worker, Job>();
  private failure: unknown;

  private constructor(private readonly workers: readonly Worker[]) {
    for (const worker of workers) {
      worker.on('message', (answer: TokenizerWorkerAnswer | 'ready') => this.onAnswer(worker, answer));
      worker.on('error', (error) => this.fail(error));
      worker.on('exit', () => this.fail(new Error('a worker thread ended')));
    }
  }

  /** @throws whatever keeps a worker from starting: a bundled program, say, has no file for it */
  static async start(data: TokenizerWorkerData, count = availableParallelism()): Promise<TokenizerPool> {
    const workers = Array.from({ length: count }, () => makeWorker(data));
    try {
      await Promise.all(workers.map(isReady));
    } catch (error) {
      await Promise.all(workers.map((worker) => worker.terminate()));
      throw error;
    }
    return new TokenizerPool(workers);
  }

  /** How many chunks are worth handing over at once. */
  get capacity(): number {
    return this.workers.length * 3;
  }

  /** @param text a JSON list of chats */
  tokenize(text: string): Promise<TokenizerWorkerAnswer> {
    return new Promise((resolve, reject) => {
      if (this.failure !== undefined) return reject(this.failure);
      this.queue.push({ text, resolve, reject });
      this.next();
    });
  }

  async close(): Promise<void> {
    this.fail(new Error('closed'));
    await Promise.all(this.workers.map((worker) => worker.terminate()));
  }

  private next(): void {
    for (const worker of this.workers) {
      if (this.running.has(worker)) continue;
      const job = this.queue.shift();
      if (job === undefined) return;
      this.running.set(worker, job);
      worker.postMessage(job.text);
    }
  }

  private onAnswer(worker: Worker, answer: TokenizerWorkerAnswer | 'ready'): void {
    if (answer === 'ready') return;
    this.running.get(worker)?.resolve(answer);
    this.running.delete(worker);
    this.next();
  }

  private fail(cause: unknown): void {
    const isMemory = (cause as { code?: unknown } | undefined)?.code === 'ERR_WORKER_OUT_OF_MEMORY';
    this.failure ??= isMemory
      ? new AdaptiveTrainerError(
          'OUT_OF_MEMORY',
          'A thread that tokenizes ran out of memory. Shorten the longest rows, or raise --max-old-space-size.',
          { cause },
        )
      : cause;
    for (const job of [...this.running.values(), ...this.queue.splice(0)]) job.reject(this.failure);
    this.running.clear();
  }
}

function isReady(worker: Worker): Promise<void> {
  return new Promise((resolve, reject) => {
    worker.once('message', () => resolve());
    worker.once('error', reject);
    worker.once('exit', () => reject(new Error('the worker thread ended at once')));
  });
}

function makeWorker(workerData: TokenizerWorkerData): Worker {
  const compiled = import.meta.url.endsWith('.js');
  const file = new URL(`./tokenizer-worker.${compiled ? 'js' : 'ts'}`, import.meta.url);
  if (compiled) return new Worker(file, { workerData });
  // From source, in development: a new thread knows no TypeScript, whatever the one that starts it has been taught.
  const code = `import('tsx/esm/api').then(({ tsImport }) => tsImport(${JSON.stringify(file.href)}, ${JSON.stringify(import.meta.url)}))`;
  return new Worker(code, { eval: true, workerData, execArgv: [] });
}
