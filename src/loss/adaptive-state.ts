import type { AdaptiveState } from '../engine/addon.js';

/** α and β of the adaptive loss before its first step, or as given; Adam moments that are not given are zero. */
export function adaptiveState(given: Partial<AdaptiveState> = {}): AdaptiveState {
  return {
    alpha: given.alpha ?? 1,
    beta: given.beta ?? 1,
    alphaMoment1: given.alphaMoment1 ?? 0,
    alphaMoment2: given.alphaMoment2 ?? 0,
    betaMoment1: given.betaMoment1 ?? 0,
    betaMoment2: given.betaMoment2 ?? 0,
    step: given.step ?? 0,
  };
}
