import type { DatasetPlan } from '../../config/datasets/dataset-plan.js';

const most = 12;

/** Says which columns of a dataset are not trained on, once for all of its rows. */
export function ignoredColumnsNote(
  { name, path }: Pick<DatasetPlan, 'name' | 'path'>,
  columns: readonly string[],
): string {
  const shown = columns.slice(0, most).map((column) => JSON.stringify(column));
  const rest = columns.length > most ? ` and ${columns.length - most} more` : '';
  return (
    `Dataset "${name}" (${path}): ignored columns: ${shown.join(', ')}${rest}. If one matters, say what it is in its ` +
    `datasetsKwargs (columns: { user, assistant, system, context, … }), or use a data processing function.`
  );
}
