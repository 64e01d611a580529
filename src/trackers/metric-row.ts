import type {
  AdaptiveEvent,
  EndEvent,
  EvaluateEvent,
  LogEvent,
  TrainingEvent,
} from '../events/training-event.js';

/** Numbers by metric name: `train/loss`, `eval/loss`, `adaptive/in_top_k`. */
export type MetricRow = Record<string, number>;

/**
 * Returns the metrics of an event under the names that the trackers of the Hugging Face Trainer use (`train/…`,
 * `eval/…`), and the counts of the adaptive loss under those of the Python package (`adaptive/…`), so that dashboards
 * made for either fit. Undefined for events that hold no metrics.
 */
export function metricRow(event: TrainingEvent): MetricRow | undefined {
  if (event.type === 'log') return trainMetrics(event);
  if (event.type === 'adaptive') return adaptiveMetrics(event);
  if (event.type === 'evaluate') return evaluationMetrics(event);
  return undefined;
}

function trainMetrics(event: LogEvent): MetricRow {
  return {
    'train/loss': event.loss,
    'train/grad_norm': event.gradNorm,
    'train/learning_rate': event.learningRate,
    'train/epoch': event.epoch,
    'train/tokens_per_second': event.tokensPerSecond,
    'train/seconds_per_step': event.secondsPerStep,
    ...(event.divergence === undefined ? {} : { 'train/divergence': event.divergence }),
    ...(event.retentionWeight === undefined ? {} : { 'train/retention_weight': event.retentionWeight }),
    ...(event.forgetting === undefined ? {} : { 'train/forgetting': event.forgetting }),
    ...(event.lossScale === undefined ? {} : { 'train/loss_scale': event.lossScale }),
    ...(event.skippedSteps === undefined ? {} : { 'train/skipped_steps': event.skippedSteps }),
    'adaptive/already_correct_share': share(event.statistics.already_correct, event.statistics.total_tokens),
    'adaptive/in_top_k_share': share(event.statistics.in_top_k, event.statistics.total_tokens),
    'adaptive/outside_top_k_share': share(event.statistics.outside_top_k, event.statistics.total_tokens),
    'adaptive/alpha': event.alpha,
    'adaptive/beta': event.beta,
  };
}

function adaptiveMetrics({ statistics }: AdaptiveEvent): MetricRow {
  return Object.fromEntries(Object.entries(statistics).map(([name, value]) => [`adaptive/${name}`, value]));
}

function evaluationMetrics(event: EvaluateEvent): MetricRow {
  const groups = [...Object.entries(event.bySource), ...Object.entries(event.byStyle)];
  return {
    'eval/loss': event.loss,
    'eval/perplexity': event.perplexity,
    'eval/token_accuracy': event.tokenAccuracy,
    'eval/in_top_k_share': event.inTopKShare,
    'eval/outside_top_k_share': event.outsideTopKShare,
    ...(event.adaptiveLoss === undefined ? {} : { 'eval/adaptive_loss': event.adaptiveLoss }),
    ...(event.forgetting === undefined ? {} : { 'eval/forgetting': event.forgetting }),
    'eval/runtime': event.seconds,
    'eval/samples_per_second': event.rows / event.seconds,
    'train/epoch': event.epoch,
    ...Object.fromEntries(groups.map(([name, metrics]) => [`eval/${name}/loss`, metrics.loss])),
  };
}

/** The numbers of a whole run, which the Hugging Face integrations keep in a run's summary and not in its history. */
export function summaryMetrics(event: EndEvent): MetricRow {
  return {
    train_loss: event.loss,
    train_runtime: event.seconds,
    train_steps_per_second: event.steps / event.seconds,
    train_tokens_per_second: event.tokensPerSecond,
  };
}

function share(part: number, whole: number): number {
  return whole > 0 ? part / whole : 0;
}
