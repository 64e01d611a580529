/** What dual ascent remembers. Survives JSON. */
export interface DualAscentState {
  /** λ. */
  weight: number;
  /** Running mean of the divergence, nats per token; 0 before the first. */
  mean: number;
  /** Steps that were measured. */
  measured: number;
}

const memory = 20; // measured steps that the mean looks back on
const gain = 0.08; // of log λ per measured step, for a divergence of twice the bound
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

  /** After a step on whose retained tokens the mean divergence was `divergence`. */
  measure(divergence: number): void {
    const { state } = this;
    state.measured++;
    // A plain mean at first, so that the beginning does not weigh for long.
    state.mean += (divergence - state.mean) / Math.min(memory, state.measured);
    const excess = Math.log(Math.max(state.mean, this.bound * 1e-2) / this.bound);
    state.weight *= Math.exp(gain * Math.max(-2, Math.min(2, excess)));
    state.weight = Math.max(least, Math.min(most, state.weight));
  }
}
