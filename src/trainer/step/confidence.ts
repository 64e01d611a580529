import type { AdaptiveLossConfig } from '../../config/schema/parsed-config.js';

/**
 * The threshold τ of the confidence curriculum (docs/adaptive-loss.md, "Confidence"): the probability from which on a
 * first choice counts as correct. 0 where none is configured.
 * @param epoch passes over the rows so far, as a fraction
 */
export function confidence(epoch: number, config: AdaptiveLossConfig): number {
  const { initialConfidence, finalConfidence, curriculumEpochs } = config;
  if (initialConfidence === null) return 0;
  if (finalConfidence === null || curriculumEpochs === null) return initialConfidence;
  return initialConfidence + Math.min(1, epoch / curriculumEpochs) * (finalConfidence - initialConfidence);
}
