import type { DatasetPlan } from '../../config/datasets/dataset-plan.js';
import { remarkNote } from '../../tokenizer/encode/encode-chat.js';
import type { Tokenizer } from '../../tokenizer/tokenizer.js';

const most = 12;

/**
 * Says what of a dataset is not trained on or odd, once for all of its rows: columns that nobody reads, a system prompt that is
 * not used, what the chat template leaves out, empty answers, special tokens in texts.
 *
 * @param remarks `prompt`, and what `RenderedAnswers` has
 */
export function datasetNotes(
  { name, path }: Pick<DatasetPlan, 'name' | 'path'>,
  { ignoredColumns, remarks }: { ignoredColumns: readonly string[]; remarks: readonly string[] },
  tokenizer: Tokenizer,
): string[] {
  const notes = remarks.map((part) => (part === 'prompt' ? promptNote : remarkNote(part, tokenizer)));
  if (ignoredColumns.length > 0) notes.unshift(columnsNote(ignoredColumns));
  return notes.map((note) => `Dataset "${name}" (${path}): ${note}`);
}

const promptNote =
  'its rows, or some of them, are plain text, which is trained as it is: the system prompt of the configuration is not used ' +
  'for them. Remove the prompt, or give the rows as user and assistant.';

function columnsNote(columns: readonly string[]): string {
  const shown = columns.slice(0, most).map((column) => JSON.stringify(column));
  const rest = columns.length > most ? ` and ${columns.length - most} more` : '';
  return (
    `ignored columns: ${shown.join(', ')}${rest}. If one matters, say what it is in its datasetsKwargs ` +
    `(columns: { user, assistant, system, context, … }), or use a data processing function.`
  );
}
