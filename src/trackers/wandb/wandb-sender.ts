import { setTimeout as sleep } from 'node:timers/promises';
import {
  WandbRequestError,
  type FileStreamBody,
  type WandbBucket,
  type WandbClient,
} from './wandb-client.js';
import type { WandbLog } from './wandb-log.js';
import type { JsonItems, ReadRecord } from './wandb-records.js';

/** How often and how long is tried; all in milliseconds. */
export interface WandbPacing {
  /** Between two uploads while the run goes on. */
  interval: number;
  /** The first pause after a failure; it doubles up to `maxPause`. */
  firstPause: number;
  maxPause: number;
  /** How long the end of the run waits for what is left to be sent. */
  finishLimit: number;
}

export const defaultPacing: WandbPacing = {
  interval: 5_000,
  firstPause: 1_000,
  maxPause: 30_000,
  finishLimit: 60_000,
};

export interface WandbSenderOptions {
  client: WandbClient;
  log: WandbLog;
  /** Variables of the mutation that makes or finds the run. */
  run: { name: string; project: string; entity: string | undefined } & Record<string, unknown>;
  /** Whether the run may be there already and is continued. */
  resume: 'allow' | 'must' | 'never' | undefined;
  pacing: WandbPacing;
  /** Seconds since 1970. */
  startTime: number;
  /** Told once the run is there. */
  onRun: (bucket: WandbBucket) => void;
  onWarning: (message: string) => void;
  /** Told how many rows are left while the end waits for them. */
  onStatus: (message: string) => void;
}

/** What is only known at the end of a run. */
export interface WandbEnding {
  /** JSON. */
  config: string;
  /** Contents by name. */
  files: Record<string, string>;
}

/** At most this much of a log goes into one request. */
const batchRecords = 1_000;
const batchCharacters = 2_000_000;
const heartbeatMs = 30_000;

/** The files of a run's stream, in the server's names, with the next line's number in each. */
const streams = {
  history: 'wandb-history.jsonl',
  stats: 'wandb-events.jsonl',
  output: 'output.log',
} as const;

/**
 * Sends what a `.wandb` log holds to the server, in order, in batches, for as long as it takes. Each line has its number
 * in its file, so that a batch which is sent again after a lost answer is stored once. The log is the queue: memory holds
 * one batch, however long the server is away.
 */
export class WandbSender {
  private position = 0;
  private readonly offsets = { history: 0, stats: 0, output: 0 };
  private lastStep = -1;
  private summary: Record<string, string> = {};
  private bucket: WandbBucket | undefined;
  private readonly stop = new AbortController();
  private finishing: { exitCode: number; ending: () => WandbEnding } | undefined;
  private wake = new AbortController();
  private readonly loop: Promise<void>;
  private isDone = false;
  private failure = '';
  private lastSent = Date.now();

  constructor(private readonly options: WandbSenderOptions) {
    this.loop = this.run();
  }

  /**
   * Sends what is left, the files of the run and its exit code, for at most `finishLimit`.
   * @returns whether everything arrived
   */
  async finish(exitCode: number, ending: () => WandbEnding): Promise<boolean> {
    this.finishing = { exitCode, ending };
    this.wake.abort();
    const started = Date.now();
    const { finishLimit } = this.options.pacing;
    const isOver = () => this.isDone || this.stop.signal.aborted;
    // Most ends take one request; only a longer wait is worth a line.
    await Promise.race([this.loop, sleep(Math.min(500, finishLimit / 2))]);
    while (!isOver()) {
      const waited = Date.now() - started;
      if (waited >= finishLimit) this.stop.abort();
      else {
        const seconds = Math.round(waited / 1_000);
        this.options.onStatus(
          `W&B: ${await this.left()} left to send, ${seconds} s of at most ${finishLimit / 1_000} s`,
        );
        await Promise.race([this.loop, sleep(Math.min(5_000, finishLimit - waited))]);
      }
    }
    await this.loop;
    return this.isDone;
  }

  /** Why nothing more could be sent, where that is so. */
  get lastFailure(): string {
    return this.failure;
  }

  private async run(): Promise<void> {
    try {
      this.bucket = await this.open();
      this.options.onRun(this.bucket);
      while (!this.stop.signal.aborted) {
        const isFinishing = this.finishing !== undefined;
        const sent = await this.sendBatch();
        if (sent) continue;
        if (isFinishing) return await this.complete();
        await this.pause(this.options.pacing.interval);
      }
    } catch (error) {
      if (this.stop.signal.aborted) return;
      this.stop.abort();
      this.failure = error instanceof Error ? error.message : String(error);
      this.options.onWarning(this.failure);
    }
  }

  private async open(): Promise<WandbBucket> {
    const { client, run, resume } = this.options;
    if (resume !== undefined) {
      const point = await this.retried(() => client.resumePoint(run.project, run.entity, run.name));
      if (point === undefined && resume === 'must') {
        throw new WandbRequestError(`WANDB_RESUME is "must", but the project has no run ${run.name}`, true);
      }
      if (point !== undefined && resume === 'never') {
        throw new WandbRequestError(`WANDB_RESUME is "never", but the project has a run ${run.name}`, true);
      }
      if (point !== undefined) {
        Object.assign(this.offsets, {
          history: point.historyLines,
          stats: point.eventsLines,
          output: point.logLines,
        });
        this.lastStep = point.lastStep;
      }
    }
    return this.retried(() => client.upsertRun(run));
  }

  /** Returns whether there was anything to send. */
  private async sendBatch(): Promise<boolean> {
    const lines = { history: [] as string[], stats: [] as string[], output: [] as string[] };
    let next = this.position;
    let records = 0;
    let characters = 0;
    let hasSummary = false;
    for await (const { record, next: after } of this.options.log.read(this.position)) {
      next = after;
      records++;
      const line = this.lineOf(record);
      if (line !== undefined) {
        lines[line.file].push(line.text);
        characters += line.text.length;
      }
      hasSummary ||= record.type === 'summary';
      if (records >= batchRecords || characters >= batchCharacters) break;
    }
    const files: NonNullable<FileStreamBody['files']> = {};
    for (const key of ['history', 'stats', 'output'] as const) {
      if (lines[key].length > 0) files[streams[key]] = { offset: this.offsets[key], content: lines[key] };
    }
    if (hasSummary) files['wandb-summary.json'] = { offset: 0, content: [objectText(this.summary)] };
    const isDue = Date.now() - this.lastSent > heartbeatMs;
    if (Object.keys(files).length > 0 || isDue) {
      await this.retried(() => this.options.client.fileStream(this.bucket!, { files }));
      this.lastSent = Date.now();
    }
    this.position = next;
    for (const key of ['history', 'stats', 'output'] as const) this.offsets[key] += lines[key].length;
    return records > 0;
  }

  private lineOf(record: ReadRecord): { file: keyof typeof streams; text: string } | undefined {
    switch (record.type) {
      case 'history':
        // What the server has of a continued run is not sent again.
        if (record.step <= this.lastStep) return undefined;
        return { file: 'history', text: objectText(record.items) };
      case 'summary':
        this.summary = { ...this.summary, ...record.items };
        return undefined;
      case 'stats': {
        const items = Object.entries(record.items).map(([key, json]) => [`system.${key}`, json]);
        const runtime = record.time - this.options.startTime;
        const text = objectText({
          ...Object.fromEntries(items),
          _wandb: 'true',
          _timestamp: String(record.time),
          _runtime: String(runtime),
        });
        return { file: 'stats', text };
      }
      case 'output': {
        const time = new Date(record.time * 1_000).toISOString();
        const prefix = record.stream === 'stderr' ? 'ERROR ' : '';
        return { file: 'output', text: `${prefix}${time} ${record.line}` };
      }
      case 'other':
        return undefined;
    }
  }

  private async complete(): Promise<void> {
    const { exitCode, ending } = this.finishing!;
    const { client, run } = this.options;
    const { config, files } = ending();
    const { name, project, entity } = run;
    await this.retried(() => client.upsertRun({ name, project, entity, config }));
    // A server that takes the rows may have no place for files; the run is complete without them.
    const uploaded = await this.upload(files).catch((error: unknown) => {
      if (!(error instanceof WandbRequestError && error.isFinal)) throw error;
      return [];
    });
    await this.retried(() =>
      client.fileStream(this.bucket!, { uploaded, complete: true, exitcode: exitCode }),
    );
    this.isDone = true;
  }

  private async upload(files: Readonly<Record<string, string>>): Promise<string[]> {
    const { client } = this.options;
    const targets = await this.retried(() => client.uploadTargets(this.bucket!, Object.keys(files)));
    for (const target of targets) await this.retried(() => client.putFile(target, files[target.name] ?? ''));
    return targets.map(({ name }) => name);
  }

  /** Repeats a request until it succeeds, fails for good, or the wait for the end is over. */
  private async retried<T>(request: () => Promise<T>): Promise<T> {
    let pause = this.options.pacing.firstPause;
    for (;;) {
      try {
        const answer = await this.unlessStopped(request());
        this.failure = '';
        return answer;
      } catch (error) {
        if (this.stop.signal.aborted || !(error instanceof WandbRequestError) || error.isFinal) throw error;
        this.failure = error.message;
        // Half of it at random: many runs that lost one server do not come back in step.
        await this.unlessStopped(
          sleep(error.retryAfter ?? pause * (0.5 + Math.random() / 2), undefined, {
            ref: false,
            signal: this.stop.signal,
          }),
        );
        pause = Math.min(2 * pause, this.options.pacing.maxPause);
      }
    }
  }

  private unlessStopped<T>(work: Promise<T>): Promise<T> {
    const { signal } = this.stop;
    return new Promise((resolve, reject) => {
      const stopped = () => reject(new Error('stopped'));
      if (signal.aborted) stopped();
      signal.addEventListener('abort', stopped, { once: true });
      work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stopped));
    });
  }

  private async pause(milliseconds: number): Promise<void> {
    if (this.finishing !== undefined) return;
    const signal = AbortSignal.any([this.wake.signal, this.stop.signal]);
    await sleep(milliseconds, undefined, { ref: false, signal }).catch(() => {});
  }

  private async left(): Promise<string> {
    let rows = 0;
    for await (const { record } of this.options.log.read(this.position))
      if (record.type === 'history') rows++;
    return rows === 1 ? '1 row' : `${rows} rows`;
  }
}

/** A JSON object whose values are JSON already. */
function objectText(items: JsonItems): string {
  return `{${Object.entries(items)
    .map(([key, json]) => `${JSON.stringify(key)}:${json}`)
    .join(',')}}`;
}
