import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { errorText } from '../common/error-text.js';
import { engineCall } from '../engine/engine-call.js';
import type { NativeAddon, NativeRanks } from '../engine/addon.js';
import { AdaptiveTrainerError } from '../errors.js';
import type { Launch } from './launch.js';
import type { Ranks } from './ranks.js';

/** What a rank tells the others of the error that ends it. */
interface Failure {
  rank: number;
  code: string;
  message: string;
}

const working = 0;
const done = 1;
const failed = 2;

/** How long the ranks that are left wait for one another's word, to tell which one is gone. */
const rollCallMs = 3000;
/** How long rank 0 stays with the store for the others to read why the run ends: as long as their roll call, and more. */
const lastWordMs = rollCallMs + 3000;
/** How long the store may take to answer a connection before it counts as out of reach. */
const reachMs = 3000;
/** Longer texts are cut for the store. */
const pieceLength = 200_000;

/** Errors that say which rank failed. */
const explained = new WeakSet<object>();

/** One of several ranks, connected to the others. */
export class RankGroup implements Ranks {
  readonly rank: number;
  readonly size: number;
  private texts = 0;
  private hasLeft = false;
  private gone: readonly number[] = [];

  constructor(
    private readonly addon: NativeAddon,
    readonly native: NativeRanks,
    readonly launch: Launch,
  ) {
    ({ rank: this.rank, size: this.size } = launch);
  }

  get isFirst(): boolean {
    return this.rank === 0;
  }

  get isFirstOfMachine(): boolean {
    return this.launch.localRank === 0;
  }

  async sum(numbers: ArrayLike<number>): Promise<Float64Array> {
    const request = { ranks: this.native, numbers: Float64Array.from(numbers) };
    try {
      return await engineCall(() => this.addon.sumOverRanks(request));
    } catch (error) {
      throw await this.explain(error);
    }
  }

  async together<Result>(work: () => Promise<Result>): Promise<Result> {
    let state = working;
    let result: Result | undefined;
    let error: unknown;
    const finished = work().then(
      (value) => {
        result = value;
        state = done;
      },
      async (reason: unknown) => {
        error = reason;
        await this.tell(reason).catch(() => {});
        state = failed;
      },
    );
    for (let pause = 2; ; pause = Math.min(1000, pause * 2)) {
      if (state === working) await Promise.race([finished, delay(pause, undefined, { ref: true })]);
      const states = new Float64Array(this.size);
      states[this.rank] = state;
      const all = await this.sum(states);
      if (all.includes(failed)) throw states[this.rank] === failed ? error : await this.failureOfAnother();
      if (all.every((one) => one === done)) return result as Result;
    }
  }

  async fromFirst(text: string | undefined): Promise<string> {
    const key = `text/${this.texts++}`;
    if (this.isFirst) await this.writeText(key, text ?? '');
    await this.sum([0]);
    const whole = await this.readText(key);
    // Rank 0 may end next, and its store with it.
    await this.sum([0]);
    return whole;
  }

  async toFirst(text: string): Promise<string[]> {
    const key = `text/${this.texts++}`;
    if (!this.isFirst) await this.writeText(`${key}/of/${this.rank}`, text);
    await this.sum([0]);
    if (!this.isFirst) return [];
    const texts = [text];
    for (let rank = 1; rank < this.size; rank++) texts.push(await this.readText(`${key}/of/${rank}`));
    return texts;
  }

  async recall(): Promise<string | undefined> {
    return this.launch.hasStore ? this.read('/kept') : undefined;
  }

  async remember(text: string): Promise<void> {
    if (this.launch.hasStore && this.isFirst) await this.write('/kept', text);
  }

  async leave(error: unknown): Promise<void> {
    if (this.hasLeft) return;
    this.hasLeft = true;
    await this.tell(error).catch(() => {});
    this.addon.leaveRanks({ ranks: this.native });
    if (this.isFirst && !this.launch.hasStore) await this.waitForOthers().catch(() => {});
    else if (await this.reachesStore()) await this.write(`left/${this.rank}`, '1').catch(() => {});
  }

  async explain(error: unknown): Promise<unknown> {
    if (!AdaptiveTrainerError.isInstance(error, 'RANKS_FAILED') || explained.has(error)) return error;
    const reachesStore = await this.reachesStore();
    const ofAnother = reachesStore ? await this.failureOfAnother().catch(() => undefined) : undefined;
    if (ofAnother !== undefined) return ofAnother;
    const gone = reachesStore ? await this.rollCall().catch(() => undefined) : undefined;
    this.gone = gone ?? [];
    const which =
      gone === undefined
        ? "the ranks' store does not answer either, so rank 0, its machine or the way to it is gone"
        : gone.length === 0
          ? 'all ranks still answer: is the network slow, or one of them much slower than the others?'
          : `rank ${gone.join(', ')} ${gone.length === 1 ? 'is gone or hangs' : 'are gone or hang'}`;
    const whole = new AdaptiveTrainerError(
      'RANKS_FAILED',
      `Expected all ${this.size} ranks to go on together, but ${which}. The run ends at every rank; what those that are gone printed says why (a system without memory left kills without a word). Go on from the last checkpoint with --resume. (${error.message})`,
      { cause: error, details: gone === undefined ? {} : { missing: gone } },
    );
    explained.add(whole);
    return whole;
  }

  async mayTell(error: unknown): Promise<boolean> {
    const code = AdaptiveTrainerError.isInstance(error) ? error.code : undefined;
    if (code === 'ABORTED') return this.isFirst;
    if (!(await this.reachesStore())) return true;
    try {
      const request = { ranks: this.native, key: 'told', amount: 1 };
      return (await engineCall(() => this.addon.addForRanks(request))) === 1;
    } catch {
      return true;
    }
  }

  private async tell(error: unknown): Promise<void> {
    if (AdaptiveTrainerError.isInstance(error, 'RANKS_FAILED') || !(await this.reachesStore())) return;
    const code = AdaptiveTrainerError.isInstance(error) ? error.code : 'NATIVE_FAILED';
    const failure: Failure = { rank: this.rank, code, message: errorText(error).slice(0, 4000) };
    await this.write('failed', JSON.stringify(failure));
  }

  /** undefined where none told of one: it had no time to. */
  private async failureOfAnother(): Promise<AdaptiveTrainerError | undefined> {
    let text = await this.read('failed');
    // It tells before it leaves, but its part in a sum may have been faster.
    for (let i = 0; text === undefined && i < 10; i++) {
      await delay(50);
      text = await this.read('failed');
    }
    if (text === undefined) return undefined;
    const { rank, code, message } = JSON.parse(text) as Failure;
    if (code === 'ABORTED') return new AdaptiveTrainerError('ABORTED', message);
    const whole = new AdaptiveTrainerError(
      'RANKS_FAILED',
      `Rank ${rank} of ${this.size} ended, and with it all others. ${code}: ${message}`,
      { details: { rank, code } },
    );
    explained.add(whole);
    return whole;
  }

  /** Those that do not say that they are there. */
  private async rollCall(): Promise<number[]> {
    await this.write(`here/${this.rank}`, '1');
    return this.silent('here', this.others(), rollCallMs);
  }

  /** The store ends with this process. Until then those that are left find there why the run does. */
  private async waitForOthers(): Promise<void> {
    const left = this.others().filter((rank) => !this.gone.includes(rank));
    await this.silent('left', left, lastWordMs);
  }

  private others(): number[] {
    return Array.from({ length: this.size }, (_, rank) => rank).filter((rank) => rank !== this.rank);
  }

  /** Those of `ranks` that wrote no word of this kind within a time. */
  private async silent(kind: string, ranks: number[], milliseconds: number): Promise<number[]> {
    let missing = ranks;
    for (const end = Date.now() + milliseconds; missing.length > 0 && Date.now() < end; await delay(50)) {
      const answers = await Promise.all(missing.map((rank) => this.read(`${kind}/${rank}`)));
      missing = missing.filter((_, i) => answers[i] === undefined);
    }
    return missing;
  }

  /** A question to a store that is cut off would wait for as long as TCP tries, and the engine with it. */
  private reachesStore(): Promise<boolean> {
    const { host, port } = this.launch;
    return new Promise((resolve) => {
      const socket = connect({ host, port, timeout: reachMs });
      const end = (reaches: boolean) => {
        socket.destroy();
        resolve(reaches);
      };
      socket.once('connect', () => end(true));
      socket.once('timeout', () => end(false));
      socket.once('error', () => end(false));
    });
  }

  private async writeText(key: string, text: string): Promise<void> {
    const count = Math.ceil(text.length / pieceLength);
    for (let i = 0; i < count; i++)
      await this.write(`${key}/${i}`, text.slice(i * pieceLength, (i + 1) * pieceLength));
    await this.write(key, String(count));
  }

  private async readText(key: string): Promise<string> {
    const count = Number(await this.readWritten(key));
    const pieces: string[] = [];
    for (let i = 0; i < count; i++) pieces.push(await this.readWritten(`${key}/${i}`));
    return pieces.join('');
  }

  /** Of what another rank has written before. */
  private async readWritten(key: string): Promise<string> {
    const value = await this.read(key);
    if (value === undefined)
      throw new AdaptiveTrainerError(
        'RANKS_FAILED',
        `Expected ${key} in the ranks' store, but it is not there: does another run use the same MASTER_PORT?`,
      );
    return value;
  }

  private write(key: string, value: string): Promise<void> {
    return engineCall(() => this.addon.writeForRanks({ ranks: this.native, key, value }));
  }

  private read(key: string): Promise<string | undefined> {
    return engineCall(() => this.addon.readOfRanks({ ranks: this.native, key }));
  }
}
