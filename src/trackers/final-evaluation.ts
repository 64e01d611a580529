import type { EndEvent, EvaluateEvent } from '../events/training-event.js';

/** The evaluation of the model that a run ends with: its best one where that was taken, else the last. */
export function finalEvaluation(
  evaluations: readonly EvaluateEvent[],
  end: EndEvent | undefined,
): EvaluateEvent | undefined {
  const best = end?.best?.step;
  return evaluations.findLast(({ step }) => best === undefined || step === best) ?? evaluations.at(-1);
}
