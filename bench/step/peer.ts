import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';

/** What a peer says once it has loaded everything and waits for orders. */
export interface PeerReady {
  versions: Record<string, string>;
  threads: number;
  /** What it computes in. */
  dtype: string;
  /** The CPU's instruction sets in use: libtorch's choice, and whether bfloat16 has its own. */
  instructions: string;
}

export interface StepRecord {
  step: number;
  seconds: number;
  loss: number;
  gradNorm: number;
}

export interface BlockRecord {
  steps: StepRecord[];
  /** The most memory the whole process ever held. */
  peakBytes: number;
  /** 99 of 100 waits for the event loop were shorter, in milliseconds; undefined: not told. */
  eventLoopDelay?: number | undefined;
}

interface Message extends Partial<PeerReady & StepRecord> {
  ready?: boolean;
  block?: boolean;
  peakBytes?: number;
  eventLoopDelay?: number;
}

const mark = '@bench ';
const patience = 30 * 60_000;

/**
 * A trainer in a process of its own that works only when told to. It reads `{"run": steps}` or `{"stop": true}` from
 * stdin and answers in lines that begin with `@bench `; whatever else it prints is kept for its obituary.
 */
export class Peer {
  private readonly child: ChildProcess;
  private readonly messages: Message[] = [];
  private readonly tail: string[] = [];
  private wake: (() => void) | undefined;
  private ended: string | undefined;

  constructor(
    readonly name: string,
    command: string,
    args: string[],
    env: Record<string, string>,
  ) {
    this.child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
    const hear = (line: string) => {
      if (line.startsWith(mark)) this.messages.push(JSON.parse(line.slice(mark.length)) as Message);
      else this.tail.splice(0, this.tail.push(line) - 40);
      this.wake?.();
    };
    for (const stream of [this.child.stdout, this.child.stderr])
      if (stream) createInterface(stream).on('line', hear);
    const end = (why: string) => {
      this.ended ??= why;
      this.wake?.();
    };
    this.child.once('error', (error) => end(error.message));
    // 'close' comes when the output has been read to its end, so that no message is lost.
    this.child.once('close', (code, signal) => end(`ended with ${signal ?? `exit code ${code}`}`));
    this.child.stdin?.on('error', () => {}); // a peer that has died says so through 'close'
  }

  async ready(): Promise<PeerReady> {
    const message = await this.next(({ ready }) => ready === true);
    const { versions = {}, threads = 0, dtype = '', instructions = '' } = message;
    return { versions, threads, dtype, instructions };
  }

  /** Has it take `count` optimizer steps, and waits for them. */
  async run(count: number): Promise<BlockRecord> {
    this.send({ run: count });
    const steps: StepRecord[] = [];
    while (steps.length < count) {
      const {
        step = 0,
        seconds = NaN,
        loss = NaN,
        gradNorm = NaN,
      } = await this.next(({ step }) => step !== undefined);
      steps.push({ step, seconds, loss, gradNorm });
    }
    const { peakBytes = 0, eventLoopDelay } = await this.next((message) => message.block === true);
    return { steps, peakBytes, eventLoopDelay };
  }

  async stop(): Promise<void> {
    if (this.ended !== undefined) return;
    this.send({ stop: true });
    this.child.stdin?.end();
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 10_000);
    while (this.ended === undefined) await this.news();
    clearTimeout(timer);
  }

  private send(order: object): void {
    this.child.stdin?.write(`${JSON.stringify(order)}\n`);
  }

  private async next(wanted: (message: Message) => boolean): Promise<Message> {
    const deadline = Date.now() + patience;
    for (;;) {
      for (let message; (message = this.messages.shift()) !== undefined;) if (wanted(message)) return message;
      if (this.ended !== undefined) throw new Error(`${this.name} ${this.ended}:\n${this.tail.join('\n')}`);
      if (Date.now() > deadline)
        throw new Error(`${this.name} said nothing for 30 minutes:\n${this.tail.join('\n')}`);
      await this.news();
    }
  }

  private async news(): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, 1000);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.wake = undefined;
  }
}
