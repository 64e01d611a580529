import type { EndEvent, EvaluateEvent, EvaluationMetrics } from '../../events/training-event.js';
import { format } from '../../common/format.js';
import { renderTable } from '../../common/table.js';

/**
 * What is printed when a run is over: a table of the run, and one of its evaluation (the last, or that of the best model), by learning style and by
 * dataset, where there was one. Without a trailing newline.
 */
export function renderSummary(end: EndEvent, evaluation?: EvaluateEvent): string {
  const run = [
    ['steps', `${format.count(end.steps)}${end.stoppedEarly ? ' (stopped early)' : ''}`],
    ...(end.skippedSteps === undefined ? [] : [['steps skipped', format.count(end.skippedSteps)]]),
    ['epochs', String(Number(end.epochs.toFixed(2)))],
    ['time', format.duration(end.seconds)],
    ['mean training loss', format.loss(end.loss)],
    ['tokens', `${format.count(end.tokens)} (${format.count(end.labelledTokens)} of them trained on)`],
    ['speed', `${format.count(end.tokensPerSecond)} tokens/s`],
    ...(end.peakMemoryBytes === undefined ? [] : [['peak memory', format.bytes(end.peakMemoryBytes)]]),
    ...(end.best === undefined
      ? []
      : [
          [
            'best model',
            `step ${format.count(end.best.step)} (${end.best.metric} ${format.loss(end.best.value)})`,
          ],
        ]),
    ['model', end.path],
  ];
  if (evaluation?.forgetting !== undefined) {
    const place = run.findIndex(([name]) => name === 'model');
    run.splice(place, 0, [
      'forgetting',
      `${format.loss(evaluation.forgetting)} nats/token from the base model`,
    ]);
  }
  const tables = [renderTable(['run', 'value'], run)];
  if (evaluation !== undefined)
    tables.push(renderEvaluation(evaluation, end.best === undefined ? 'last' : 'best'));
  return tables.join('\n\n');
}

function renderEvaluation(evaluation: EvaluateEvent, which: 'last' | 'best'): string {
  const row = (name: string, metrics: EvaluationMetrics) => [
    name,
    format.count(metrics.rows),
    format.count(metrics.labelledTokens),
    format.loss(metrics.loss),
    format.loss(metrics.perplexity),
    format.share(metrics.tokenAccuracy, 1),
    format.share(metrics.inTopKShare, 1),
    format.share(metrics.outsideTopKShare, 1),
  ];
  const headers = [
    `${which} evaluation`,
    'rows',
    'tokens',
    'loss',
    'perplexity',
    'correct',
    'in top-k',
    'outside',
  ];
  return renderTable(headers, [
    row(`all (step ${evaluation.step})`, evaluation),
    ...Object.entries(evaluation.byStyle).map(([style, metrics]) => row(`style ${style}`, metrics)),
    ...Object.entries(evaluation.bySource).map(([source, metrics]) => row(source, metrics)),
  ]);
}
