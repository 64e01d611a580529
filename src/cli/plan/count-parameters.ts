import type { NamedWeight } from '../../engine/addon.js';
import { projectionModules } from '../../model/adapter/adapter-modules.js';
import type { CausalLM } from '../../model/causal-lm.js';

/** How large a model is, and what of it is trained. */
export interface ParameterCounts {
  all: number;
  trainable: number;
  /** Weights that a token goes through in the blocks: of experts only those that it is sent to. */
  perToken: number;
  /** Those of them that are trained. */
  trainedPerToken: number;
}

export function countParameters(model: CausalLM): ParameterCounts {
  const { parameters, decoder, parameterCount: all, trainableCount: trainable } = model;
  const modules = new Set(projectionModules(parameters).map((module) => `${module}.weight`));
  const { active = 1, experts = 1 } = decoder.routing ?? {};
  const seenByToken = (weights: readonly NamedWeight[]) =>
    weights.reduce((sum, weight) => {
      // Experts stand side by side in one weight: [experts, …].
      const isOfExperts = weight.shape.length === 3 && weight.shape[0] === experts;
      if (isOfExperts) return sum + (sizeOf(weight) * active) / experts;
      return modules.has(weight.name) ? sum + sizeOf(weight) : sum;
    }, 0);
  return { all, trainable, perToken: seenByToken(parameters), trainedPerToken: seenByToken(model.trainable) };
}

function sizeOf({ shape }: NamedWeight): number {
  return shape.reduce((product, size) => product * size, 1);
}
