/** Retention on the tokens that a step replayed. */
export interface RetentionReport {
  /** Mean KL(base ‖ model) before the step, nats per token. */
  kl: number;
  /** λ, what that counted beside the loss. */
  weight: number;
}
