/** What dual ascent remembers. Survives JSON. */
export interface DualAscentState {
  /** λ, without its response to the present divergence. */
  weight: number;
  /** Running mean of the divergence, nats per token; 0 before the first. */
  mean: number;
  /** Steps that were measured. */
  measured: number;
}

const memory = 8; // measured steps that the mean looks back on
const gain = 0.04; // of log λ per measured step, for a divergence of e times the bound
const response = 1.5; // of log λ at once: without it the divergence swings about the bound
const least = 1e-3;
const most = 1e3;

/**
 * Finds the weight λ at which the divergence from the base stays at a bound: λ grows while the divergence is above it and
 * shrinks while it is below. The multiplier of the constraint KL ≤ bound, moved on a logarithmic scale.
 */
export class DualAscent {
  constructor(
    private readonly bound: number,
    readonly state: DualAscentState,
  ) {}

  /** λ of the next step. */
  get weight(): number {
    const { weight, measured } = this.state;
    return measured === 0 ? weight : clamped(weight * Math.exp(response * this.excess));
  }

  /** After a step on whose retained tokens the mean divergence was `divergence`. */
  measure(divergence: number): void {
    const { state } = this;
    state.measured++;
    // A plain mean at first, so that the beginning does not weigh for long.
    state.mean += (divergence - state.mean) / Math.min(memory, state.measured);
    state.weight = clamped(state.weight * Math.exp(gain * this.excess));
  }

  /** log of the mean over the bound, from −2 to 2. */
  private get excess(): number {
    const ratio = Math.max(this.state.mean, this.bound * 1e-2) / this.bound;
    return Math.max(-2, Math.min(2, Math.log(ratio)));
  }
}

function clamped(weight: number): number {
  return Math.max(least, Math.min(most, weight));
}
