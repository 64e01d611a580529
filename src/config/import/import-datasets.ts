import { isPlainObject } from '../../common/is-plain-object.js';
import type { Draft } from './draft.js';

/** Settings of an entry that have another name here, with those that say nothing more. */
const names: Readonly<Record<string, string>> = {
  ...{ path: 'dataset', name: 'name', split: 'train_split', revision: 'revision', data_files: 'data_files' },
  data_dir: 'data_dir',
};
const columns: Readonly<Record<string, string>> = {
  ...{ field_messages: 'messages', field: 'text', field_instruction: 'user', field_output: 'assistant' },
  ...{ field_system: 'system', field_tools: 'tools', field_input: 'context' },
};
const recognised = new Set([
  'type',
  'ds_type',
  'trust_remote_code',
  'conversation',
  'chat_template',
  'columns',
]);

/** The datasets of axolotl or of TRL's mixtures, as entries of `misc`, which trains plain cross-entropy as they do. */
export function importDatasets(draft: Draft, key: string, value: unknown): void {
  const entries = (Array.isArray(value) ? value : [value]).map((entry, index) =>
    datasetEntry(draft, `${key}[${index}]`, entry),
  );
  const found = entries.filter((entry) => entry !== undefined);
  if (found.length > 0) draft.set('datasetsConfig', { misc: found });
}

/** TRL's `dataset_name` with the settings beside it. */
export function importDatasetName(draft: Draft, input: Readonly<Record<string, unknown>>): void {
  const settings = {
    ...{ dataset: input['dataset_name'], name: input['dataset_config'] },
    train_split: input['dataset_train_split'],
    val_split: input['dataset_test_split'],
  };
  const text = input['dataset_text_field'];
  const given = Object.entries(settings).filter(([, value]) => value !== undefined && value !== null);
  const isText = typeof text === 'string' && text !== 'text';
  const entry = { ...Object.fromEntries(given), ...(isText ? { columns: { text } } : {}) };
  draft.set('datasetsConfig', { misc: [given.length === 1 && !isText ? settings.dataset : entry] });
}

function datasetEntry(draft: Draft, at: string, given: unknown): unknown {
  if (typeof given === 'string') return given;
  if (!isPlainObject(given) || typeof given['path'] !== 'string') {
    draft.note(at, given, 'expected a dataset with a path');
    return undefined;
  }
  const entry: Record<string, unknown> = {};
  const uses: Record<string, unknown> = {};
  const ofType = isPlainObject(given['type']) ? given['type'] : {};
  for (const [key, value] of Object.entries({ ...given, ...ofType })) {
    if (value === null || recognised.has(key)) continue;
    const isPlainSplit = key !== 'split' || /^\w+$/.test(String(value));
    if (columns[key] !== undefined) uses[columns[key]] = value;
    else if (names[key] === undefined || !isPlainSplit)
      draft.note(`${at}.${key}`, value, 'not there; a function of your own may read rows (docs/data.md)');
    else entry[names[key]] = value;
  }
  if ('user' in uses || 'messages' in uses || 'text' in uses) entry['columns'] = uses;
  return Object.keys(entry).length === 1 ? entry['dataset'] : entry;
}
