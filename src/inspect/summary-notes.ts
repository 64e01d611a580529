import type { AdaptiveLossConfig } from '../config/schema/parsed-config.js';
import { format } from '../common/format.js';
import type { InspectedDataset } from '../events/inspect-report.js';

/** What to say of all datasets of a run together, for which loss and topK are the same. */
export function summaryNotes(
  datasets: readonly InspectedDataset[],
  { loss, topK }: Pick<AdaptiveLossConfig, 'loss' | 'topK'>,
  most: number,
): string[] {
  const notes: string[] = [];
  const partly = datasets.filter(({ judgedRows, trainRows }) => judgedRows < trainRows);
  if (partly.length > 0)
    notes.push(
      `Each number is of at most ${format.count(most)} training rows of a dataset, evenly spread over it (--rows all judges all of them).`,
    );
  const withAdvice = datasets.filter(({ known }) => known.share < 0.95);
  const plain = withAdvice.filter(({ suggestion }) => suggestion.loss === 'ce');
  if (loss === 'adaptive' && plain.length === withAdvice.length && plain.length > 0)
    notes.push(
      "None of these datasets is what the adaptive loss serves best: set adaptiveLossConfig.loss to 'ce'.",
    );
  else if (loss === 'adaptive' && plain.length > 0)
    notes.push(
      `The loss is one for the whole run: ${plain.map(({ name }) => name).join(', ')} would be served by 'ce', the others by 'adaptive'. ` +
        'Train them in runs of their own, or keep adaptive with the smallest topK that is suggested.',
    );
  const asked = withAdvice.flatMap(({ suggestion }) => suggestion.topK ?? []);
  const smallest = Math.min(...asked);
  if (asked.length > 0 && smallest < topK)
    notes.push(`topK is one for the whole run: ${smallest} would serve all of them, ${topK} is configured.`);
  const leaked = datasets.reduce(
    (sum, { duplicates }) => sum + duplicates.leaked.rows + duplicates.leakedNear.rows,
    0,
  );
  if (leaked > 0)
    notes.push(
      `${format.count(leaked)} evaluation rows stand among the training rows: evaluations will look better than the model is. Take them out of one of the two.`,
    );
  return notes;
}
