/** Of each unit of learning rate, what share of the way to their start the weights are pulled by, summed over a run, at default. */
export const defaultPull = 2.5;

/**
 * How strongly a step pulls: strength ÷ Σ rate over the run, so that Σ pull is `strength` at any rate and number of steps.
 * @param rateAt the learning rate of a step, from 0
 */
export function pullPerRate(strength: number, steps: number, rateAt: (step: number) => number): number {
  let sum = 0;
  for (let step = 0; step < steps; step++) sum += rateAt(step);
  return sum > 0 ? strength / sum : 0;
}
