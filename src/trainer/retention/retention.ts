import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import type { ComputeType } from '../../engine/addon.js';
import type { RetentionConfig } from '../../config/schema/parsed-config.js';
import type { Ranks } from '../../ranks/ranks.js';
import type { CausalLM } from '../../model/causal-lm.js';
import { flatBatch } from '../../model/flat-batch.js';
import { baseStates } from './base-states.js';
import { DualAscent, type DualAscentState } from './dual-ascent.js';
import { ReplayOrder } from './replay-order.js';
import type { RetainedBatch } from './retained-batch.js';
import type { RetentionReport } from './retention-report.js';
import type { RetentionRows } from './retention-rows.js';

/** What a run remembers of retention. Survives JSON. */
export interface RetentionState extends DualAscentState {
  /** Rows that were replayed. */
  cursor: number;
}

export interface RetentionRequest {
  model: CausalLM;
  computeType: ComputeType;
  /** Rows that are replayed beside those that are trained. Default: none. */
  replay?:
    { rows: RetentionRows; plan: Pick<RetentionConfig, 'weight' | 'tokensPerStep' | 'every'> } | undefined;
  /** Rows that forgetting is measured on. Default: none. */
  meter?: RetentionRows | undefined;
  /** Told why the meter's rows could not be made ready; the run then has none. May throw, to end it. */
  onNotMeasured: (error: unknown) => undefined;
  /** Of the divergence, which λ then follows. */
  maxKlDivergence: number | null;
  seed: number;
  cache?: string | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: ((done: number, total: number) => void) | undefined;
}

/** Rows whose states by the base are known. */
interface HeldRows {
  rows: readonly Int32Array[];
  /** As the engine numbers it. */
  store: number;
}

/** Tokens of the meter that are computed at once. */
const meterTokens = 2048;

/** Holds a model to what it was when the run began: rows replayed in its steps, and the measure of how far it has moved. */
export class Retention {
  private readonly order: ReplayOrder | undefined;
  private readonly ascent: DualAscent;

  private constructor(
    private readonly request: RetentionRequest,
    private readonly replayed: HeldRows | undefined,
    private readonly meter: HeldRows | undefined,
    state?: RetentionState,
  ) {
    const { replay, seed, maxKlDivergence } = request;
    if (replay !== undefined) this.order = new ReplayOrder(replay.rows.rows, seed, state?.cursor);
    const { weight, mean, measured } = state ?? { weight: replay?.plan.weight ?? 0, mean: 0, measured: 0 };
    this.ascent = new DualAscent(maxKlDivergence ?? Infinity, { weight, mean, measured });
  }

  /** Takes the model as it stands for the base, and stores what is needed of it. */
  static async prepare(request: RetentionRequest): Promise<Retention> {
    const { model, replay, meter } = request;
    await model.call((native) => native.keepBase());
    const replayed = replay === undefined ? undefined : await held(request, replay.rows);
    const measured = meter && (await held(request, meter).catch(request.onNotMeasured));
    return new Retention(request, replayed, measured);
  }

  /** The same base, as far as a checkpoint was. λ is as it was there where it follows a bound. */
  resumed(state: RetentionState): Retention {
    const { replay, maxKlDivergence } = this.request;
    const weight = maxKlDivergence === null ? (replay?.plan.weight ?? 0) : state.weight;
    return new Retention(this.request, this.replayed, this.meter, { ...state, weight });
  }

  /** Tells whether two runs replay, and measure on, the same rows. */
  get digest(): string {
    const hash = createHash('sha256');
    for (const held of [this.replayed, this.meter]) {
      hash.update(Int32Array.of(-1));
      for (const row of held?.rows ?? []) hash.update(Int32Array.of(row.length)).update(row);
    }
    return hash.digest('hex').slice(0, 16);
  }

  get state(): RetentionState {
    return { cursor: this.order?.cursor ?? 0, ...this.ascent.state };
  }

  /**
   * What a step replays, shared out over the micro-batches of its window.
   * @param step from 0
   */
  batches(step: number, microBatches: number): (RetainedBatch | undefined)[] {
    const { order, replayed } = this;
    const parts = Array.from({ length: microBatches }, (): number[] => []);
    if (order === undefined || replayed === undefined) return parts.map(() => undefined);
    const { every, tokensPerStep } = this.request.replay!.plan;
    if (step % every !== 0) return parts.map(() => undefined);
    const rows = order.take(tokensPerStep);
    rows.forEach((row, index) => parts[index % microBatches]!.push(row));
    const tokens = rows.reduce((sum, row) => sum + replayed.rows[row]!.length, 0);
    const weight = this.ascent.weight / tokens;
    return parts.map((part) => {
      if (part.length === 0) return undefined;
      const ids = part.map((row) => replayed.rows[row]!);
      return { store: replayed.store, rows: Int32Array.from(part), weight, ids };
    });
  }

  /**
   * After a step.
   * @param found on its retained tokens; undefined: it had none
   * @returns undefined without any
   */
  afterStep(found: { divergence: number; tokens: number } | undefined): RetentionReport | undefined {
    if (found === undefined || found.tokens === 0) return undefined;
    const { weight } = this.ascent;
    const kl = found.divergence / found.tokens;
    if (this.request.maxKlDivergence !== null) this.ascent.measure(kl);
    return { kl, weight };
  }

  /** Mean KL(base ‖ model) over the meter's rows, which ranks share, nats per token; undefined where there are none. */
  async forgetting(ranks: Ranks): Promise<number | undefined> {
    const { meter, request } = this;
    if (meter === undefined) return undefined;
    let sum = 0;
    let tokens = 0;
    let batches = 0;
    for (let first = 0, next = 0; first < meter.rows.length; first = next) {
      for (let taken = 0; next < meter.rows.length && (next === first || taken < meterTokens); next++)
        taken += meter.rows[next]!.length;
      if (batches++ % ranks.size !== ranks.rank) continue;
      const rows = Int32Array.from({ length: next - first }, (_, index) => first + index);
      const batch = {
        ...flatBatch(meter.rows.slice(first, next)),
        retained: { store: meter.store, rows, weight: 0 },
      };
      const found = await request.model.call((native) => native.divergence(batch));
      sum += found.divergence;
      tokens += found.tokens;
    }
    const [wholeSum, wholeTokens] = await ranks.sum([sum, tokens]);
    return wholeSum! / wholeTokens!;
  }
}

/** Lets the engine know what the base makes of rows: the model with its adapter off, or what was stored. */
async function held(request: RetentionRequest, list: RetentionRows): Promise<HeldRows> {
  const { model, computeType, cache, signal, onProgress } = request;
  const { rows } = list;
  // Beside an adapter nothing else is trained, unless it saves modules.
  const own = new Set(model.parameters.map(({ name }) => name));
  if (model.adapter !== undefined && !model.trainable.some(({ name }) => own.has(name)))
    return { rows, store: -1 };
  const states = await baseStates(model, list, { computeType, cache, signal, onProgress });
  const store = await model.call((native) => native.addBaseRows(states));
  // What an adapter had when the run began comes in no other run; where a mapped file cannot be deleted, it goes in time.
  if (model.adapter !== undefined) await rm(states.path, { force: true }).catch(() => {});
  return { rows, store };
}
