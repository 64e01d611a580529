import type { AdaptiveState } from '../../engine/addon.js';
import type { StepEvent } from '../../events/training-event.js';
import type { StepReport } from './take-step.js';

/** The values of a step event that the step itself does not report. */
interface StepContext extends Pick<
  StepEvent,
  'step' | 'epoch' | 'learningRate' | 'secondsPerStep' | 'etaSeconds'
> {
  /** α and β before the step: those that its loss used. */
  used: AdaptiveState;
  /** Steps of the run that were dropped so far. */
  skippedSteps: number;
}

export function stepEvent(report: StepReport, context: StepContext): StepEvent {
  const { loss, gradNorm, lossScale, statistics, tokens, labelledTokens, retention } = report;
  const { step, epoch, learningRate, secondsPerStep, etaSeconds, used, skippedSteps } = context;
  return {
    type: 'step',
    step,
    epoch,
    loss,
    gradNorm,
    learningRate,
    tokens,
    labelledTokens,
    tokensPerSecond: tokens / secondsPerStep,
    alpha: used.alpha,
    beta: used.beta,
    statistics,
    secondsPerStep,
    etaSeconds,
    ...(lossScale === 1 ? {} : { lossScale }),
    ...(skippedSteps > 0 ? { skippedSteps } : {}),
    ...(retention === undefined ? {} : { divergence: retention.kl, retentionWeight: retention.weight }),
  };
}
