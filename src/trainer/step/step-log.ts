import type { StepLogState } from '../checkpoint/run-state.js';
import type {
  AdaptiveEvent,
  EndEvent,
  EvaluateEvent,
  LogEvent,
  StepEvent,
  TokenStatistics,
} from '../../events/training-event.js';

/** Adds counts; the two biases are those of the later one. */
export function addStatistics(a: TokenStatistics | undefined, b: TokenStatistics): TokenStatistics {
  if (a === undefined) return b;
  return {
    total_tokens: a.total_tokens + b.total_tokens,
    already_correct: a.already_correct + b.already_correct,
    in_top_k: a.in_top_k + b.in_top_k,
    outside_top_k: a.outside_top_k + b.outside_top_k,
    training_mask: a.training_mask + b.training_mask,
    attention_bias_alpha: b.attention_bias_alpha,
    coherence_bias_beta: b.coherence_bias_beta,
  };
}

/** Holds the figures of a run's steps: those since the last log, and sums since the start. */
export class StepLog {
  /** @param state of the run that is continued; default: none */
  constructor(
    readonly state: StepLogState = {
      recent: [],
      steps: 0,
      lossSum: 0,
      seconds: 0,
      tokens: 0,
      labelledTokens: 0,
      statistics: undefined,
    },
  ) {}

  add(step: StepEvent): void {
    const { state } = this;
    state.recent.push(step);
    state.steps++;
    state.lossSum += step.loss;
    state.seconds += step.secondsPerStep;
    state.tokens += step.tokens;
    state.labelledTokens += step.labelledTokens;
    state.statistics = addStatistics(state.statistics, step.statistics);
  }

  /** Logs tell of forgetting as it was last measured. */
  measured({ forgetting }: EvaluateEvent): void {
    if (forgetting !== undefined) this.state.forgetting = forgetting;
  }

  private get meanLoss(): number {
    return this.state.steps > 0 ? this.state.lossSum / this.state.steps : 0;
  }

  private get tokensPerSecond(): number {
    return this.state.seconds > 0 ? this.state.tokens / this.state.seconds : 0;
  }

  /** Seconds until the end at the pace of the last steps, of which the newest has taken `seconds`. */
  etaSeconds(seconds: number, stepsLeft: number): number {
    const times = [...this.state.recent.map((step) => step.secondsPerStep), seconds];
    return (stepsLeft * times.reduce((sum, time) => sum + time, 0)) / times.length;
  }

  get hasRecent(): boolean {
    return this.state.recent.length > 0;
  }

  /** The log of the steps since the last call. */
  takeLog(): LogEvent {
    const { recent: steps, forgetting } = this.state;
    this.state.recent = [];
    const last = steps.at(-1)!;
    const sum = (value: (step: StepEvent) => number) => steps.reduce((total, step) => total + value(step), 0);
    const mean = (value: (step: StepEvent) => number) => sum(value) / steps.length;
    const tokens = sum((step) => step.tokens);
    return {
      ...last,
      type: 'log',
      steps: steps.length,
      loss: mean((step) => step.loss),
      gradNorm: mean((step) => step.gradNorm),
      tokens,
      labelledTokens: sum((step) => step.labelledTokens),
      tokensPerSecond: tokens / sum((step) => step.secondsPerStep),
      alpha: mean((step) => step.alpha),
      beta: mean((step) => step.beta),
      statistics: steps.map((step) => step.statistics).reduce(addStatistics),
      secondsPerStep: mean((step) => step.secondsPerStep),
      ...ofRetention(steps),
      ...(forgetting === undefined ? {} : { forgetting }),
      memoryBytes: process.memoryUsage.rss(),
    };
  }

  adaptive(step: StepEvent): AdaptiveEvent {
    return { type: 'adaptive', step: step.step, epoch: step.epoch, statistics: this.state.statistics! };
  }

  /** The end of the run: sums and means over all its steps. */
  end(run: Pick<EndEvent, 'path' | 'steps' | 'epochs' | 'seconds'>): EndEvent {
    const { tokens, labelledTokens } = this.state;
    return {
      type: 'end',
      ...run,
      loss: this.meanLoss,
      tokens,
      labelledTokens,
      tokensPerSecond: this.tokensPerSecond,
      peakMemoryBytes: process.resourceUsage().maxRSS * 1024,
    };
  }
}

/** Empty where no step was held to text. */
function ofRetention(steps: readonly StepEvent[]): Pick<LogEvent, 'divergence' | 'retentionWeight'> {
  const held = steps.filter(({ divergence }) => divergence !== undefined);
  if (held.length === 0) return {};
  const divergence = held.reduce((sum, step) => sum + step.divergence!, 0) / held.length;
  return { divergence, retentionWeight: held.at(-1)!.retentionWeight! };
}
