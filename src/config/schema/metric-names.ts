/** The numbers of an evaluation that say how good a model is. */
export const metricNames = [
  ...(['loss', 'perplexity', 'tokenAccuracy', 'inTopKShare', 'outsideTopKShare'] as const),
  ...(['adaptiveLoss', 'forgetting'] as const),
] as const;

/** Those of which more is better. */
export const greaterIsBetter: ReadonlySet<(typeof metricNames)[number]> = new Set([
  'tokenAccuracy',
  'inTopKShare',
]);
