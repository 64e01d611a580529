import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { AdaptiveTrainerError } from '../../errors.js';
import type { TokenizerWorkerAnswer, TokenizerWorkerData } from './tokenizer-worker.js';

/** A chunk's answer is awaited by one of these. */
interface Job {
  text: string;
  resolve: (answer: TokenizerWorkerAnswer) => void;
  reject: (error: unknown) => void;
}

// Threads whose tokenizer is made at a time, of all of them: making one takes a lot of memory for a moment.
const startedAtOnce = 1 / 4;
// What is made while tokenizing is small and short-lived, and there may be many threads. V8 lets garbage grow to three times
// of what lives where the heap may be large, and to the half of it where it may be 1 GiB, which is plenty for a tokenizer.
const resourceLimits = { maxYoungGenerationSizeMb: 12, maxOldGenerationSizeMb: 1024 };

/** Worker threads that tokenize, one per core. */
export class TokenizerPool {
  private readonly queue: Job[] = [];
  private readonly running = new Map<Worker, Job>();
  /** Those that can work. */
  private readonly workers: Worker[] = [];
  private readonly starting = new Set<Worker>();
  private failure: unknown;

  private constructor(private readonly data: TokenizerWorkerData) {}

  /**
   * Resolves when the first threads can work; others join them later.
   * @throws whatever keeps a worker from starting: a bundled program, say, has no file for it
   */
  static async start(data: TokenizerWorkerData, count = availableParallelism()): Promise<TokenizerPool> {
    const pool = new TokenizerPool(data);
    const atOnce = Math.ceil(count * startedAtOnce);
    try {
      await pool.add(atOnce);
    } catch (error) {
      await pool.close();
      throw error;
    }
    void pool.addRest(count - atOnce, atOnce);
    return pool;
  }

  private async addRest(count: number, atOnce: number): Promise<void> {
    try {
      for (let left = count; left > 0 && this.failure === undefined; left -= atOnce) {
        await this.add(Math.min(left, atOnce));
      }
    } catch {
      // Perhaps the memory is short: the work goes on with those there are.
    }
  }

  private async add(count: number): Promise<void> {
    const added = Array.from({ length: count }, () => makeWorker(this.data));
    for (const worker of added) this.starting.add(worker);
    const ready = await Promise.allSettled(added.map(isReady));
    const failed = ready.find(({ status }) => status === 'rejected') as PromiseRejectedResult | undefined;
    if (failed !== undefined || this.failure !== undefined) {
      await Promise.all(added.map((worker) => worker.terminate()));
      throw failed?.reason ?? this.failure;
    }
    for (const worker of added) {
      this.starting.delete(worker);
      worker.on('message', (answer: TokenizerWorkerAnswer) => this.onAnswer(worker, answer));
      worker.on('error', (error) => this.fail(error));
      worker.on('exit', () => this.fail(new Error('a worker thread ended')));
      this.workers.push(worker);
    }
    this.next();
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
    await Promise.all([...this.workers, ...this.starting].map((worker) => worker.terminate()));
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

  private onAnswer(worker: Worker, answer: TokenizerWorkerAnswer): void {
    this.running.get(worker)?.resolve(answer);
    this.running.delete(worker);
    this.next();
  }

  private fail(cause: unknown): void {
    const isMemory = (cause as { code?: unknown } | undefined)?.code === 'ERR_WORKER_OUT_OF_MEMORY';
    this.failure ??= isMemory
      ? new AdaptiveTrainerError(
          'OUT_OF_MEMORY',
          'A thread that tokenizes ran out of memory, which a row of some 50 MB of text can do. Shorten or leave out the longest rows.',
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
  if (compiled) return new Worker(file, { workerData, resourceLimits });
  // From source, in development: a new thread knows no TypeScript, whatever the one that starts it has been taught.
  const code = `import('tsx/esm/api').then(({ tsImport }) => tsImport(${JSON.stringify(file.href)}, ${JSON.stringify(import.meta.url)}))`;
  return new Worker(code, { eval: true, workerData, resourceLimits, execArgv: [] });
}
