import { camelCase } from '../../common/camel-case.js';
import { isPlainObject } from '../../common/is-plain-object.js';
import { AdaptiveTrainerError } from '../../errors.js';
import { readConfig } from '../read/read-config.js';
import { configGroups } from '../schema/config-groups.js';
import { isLeftAlone, otherTrainers } from '../schema/other-trainers.js';
import { converters } from './convert.js';
import { Draft, isOwnKey } from './draft.js';
import { importDatasetName, importDatasets } from './import-datasets.js';
import { adapterDefaults, sourceDefaults, type OtherTrainer } from './source-defaults.js';

/** What was made of another trainer's configuration. */
export interface ImportedConfig {
  from: OtherTrainer;
  /** In snake_case. It holds no fault but placeholders for what the other one did not say. */
  config: Record<string, unknown>;
  /** Comments on keys that are there, by path (`training_config.batch_size`). */
  comments: ReadonlyMap<string, string>;
  /** What could not be carried over, with why; one line each. */
  notes: readonly string[];
}

/** That no other trainer has. */
const ownKeys = ['datasets_config', 'datasetsConfig', 'training_config', 'trainingConfig'];

/**
 * Makes a configuration of axolotl, of TRL's SFT or of the Hugging Face Trainer (TrainingArguments) into one of this library
 * that trains likewise: with plain cross-entropy, and with the other trainer's defaults where they are not those here.
 * @throws AdaptiveTrainerError CONFIG_INVALID for what is no object, or a configuration of this library already
 */
export function importConfig(input: unknown): ImportedConfig {
  if (!isPlainObject(input)) {
    const message = 'expected the settings of axolotl, TRL or the Hugging Face Trainer, by name';
    throw new AdaptiveTrainerError('CONFIG_INVALID', `The configuration is none: ${message}.`, {
      details: { faults: [{ path: '', code: 'INVALID', message }] },
    });
  }
  const own = ownKeys.find((key) => Object.hasOwn(input, key));
  if (own !== undefined) {
    const message = `expected the settings of another trainer, received a configuration of this library, with ${own}; use it as it is`;
    throw new AdaptiveTrainerError('CONFIG_INVALID', `There is nothing to import: ${message}.`, {
      details: { faults: [{ path: own, code: 'INVALID', message }] },
    });
  }
  const from = trainerOf(input);
  const draft = new Draft();
  const hasAdapter = adapterOf(input, from);
  // In this order, so that the whole comes out in the order of docs/keys.md.
  for (const name of ['modelName', 'outputDir']) draft.set(name, undefined);
  for (const [key, value] of Object.entries(input)) importSetting(draft, key, value, input, hasAdapter);
  if (typeof input['dataset_name'] === 'string') importDatasetName(draft, input);
  if (hasAdapter) importAdapter(draft, input, from);
  if (from === 'axolotl') reportAsAxolotl(draft, input);
  fillIn(draft, from, sourceDefaults[from]);
  if (!draft.has('loss')) draft.set('loss', 'ce', undefined, 'as there; without it, the adaptive loss');
  addPlaceholders(draft);
  dropFaults(draft);
  return { from, config: draft.config, comments: draft.comments, notes: draft.notes };
}

function trainerOf(input: Readonly<Record<string, unknown>>): OtherTrainer {
  const has = (...keys: string[]) => keys.some((key) => key in input);
  if (has('base_model', 'micro_batch_size', 'sequence_len', 'sample_packing')) return 'axolotl';
  if (has('model_name_or_path', 'dataset_name', 'max_length', 'packing', 'use_peft', 'datasets'))
    return 'TRL';
  return 'the Hugging Face Trainer';
}

function adapterOf(input: Readonly<Record<string, unknown>>, from: OtherTrainer): boolean {
  return from === 'axolotl'
    ? ['lora', 'qlora'].includes(String(input['adapter']))
    : input['use_peft'] === true;
}

function importSetting(
  draft: Draft,
  key: string,
  given: unknown,
  input: Readonly<Record<string, unknown>>,
  hasAdapter: boolean,
): void {
  // What YAML 1.1 reads as text: 2e-5.
  const isNumber = typeof given === 'string' && /^[+-]?[\d.]+(e[+-]?\d+)?$/i.test(given);
  const value = isNumber ? Number(given) : given;
  const verdict = otherTrainers.get(key);
  const name = verdict?.kind === 'renamed' ? verdict.to : camelCase(key);
  if (value === null || value === undefined) return;
  if (configGroups.peftConfig.includes(name) && !hasAdapter) return;
  if (key === 'datasets') return importDatasets(draft, key, value);
  if (key === 'dataset_name') return;
  const convert = converters[key];
  if (convert !== undefined) return convert(draft, { key, value, input });
  if (verdict?.kind === 'renamed' || (verdict === undefined && isOwnKey(key)))
    return draft.set(name, value, { key, value });
  if (verdict === undefined) return draft.note(key, value, 'not known');
  if (isLeftAlone(key, value)) return;
  draft.note(key, value, verdict.kind === 'missing' ? verdict.hint : `no effect here: ${verdict.note}`);
}

function importAdapter(draft: Draft, input: Readonly<Record<string, unknown>>, from: OtherTrainer): void {
  for (const [name, value] of Object.entries(adapterDefaults[from]))
    if (!draft.has(name)) draft.set(name, value, undefined, `the default of ${from}`);
  if (!draft.has('peftConfig')) draft.set('peftConfig', {});
  if (input['adapter'] === 'qlora' && !draft.has('loadIn4bit') && !draft.has('loadIn8bit'))
    draft.set('loadIn4bit', true, undefined, 'as qlora has it');
  const isFour = trainingOf(draft)['load_in_4bit'] === true;
  // axolotl, as here, has them in 8 bits.
  if (from !== 'axolotl' && isFour && !draft.has('bnb4bitUseDoubleQuant'))
    draft.set('bnb4bitUseDoubleQuant', false, undefined, `the default of ${from}`);
}

function trainingOf(draft: Draft): Record<string, unknown> {
  return (draft.config['training_config'] ?? {}) as Record<string, unknown>;
}

/** axolotl reports to W&B where a project is named. */
function reportAsAxolotl(draft: Draft, input: Readonly<Record<string, unknown>>): void {
  const to = [
    ...(typeof input['wandb_project'] === 'string' && input['wandb_project'] !== '' ? ['wandb'] : []),
    ...(input['use_tensorboard'] === true ? ['tensorboard'] : []),
  ];
  if (!draft.has('reportTo')) draft.set('reportTo', to.length === 0 ? 'none' : to);
}

function fillIn(draft: Draft, from: OtherTrainer, defaults: Readonly<Record<string, unknown>>): void {
  const isGiven = (name: string) =>
    draft.has(name) || (name === 'fp16' && (draft.has('bf16') || draft.has('precision')));
  for (const [name, value] of Object.entries(defaults)) {
    if (
      name === 'outputDir' ? draft.config['output_dir'] !== undefined : isGiven(name) || value === undefined
    )
      continue;
    draft.set(name, value, undefined, `the default of ${from}`);
  }
}

function addPlaceholders(draft: Draft): void {
  if (draft.config['output_dir'] === undefined) draft.set('outputDir', 'out');
  if (draft.config['model_name'] === undefined)
    draft.set('modelName', 'path/to/model', undefined, 'TO FILL IN: a folder, or a name on the Hub');
  if (!draft.has('datasetsConfig')) {
    draft.set(
      'datasetsConfig',
      { misc: ['path/to/rows.jsonl'] },
      undefined,
      'TO FILL IN: files, or names on the Hub',
    );
  } else if (!draft.comments.has('datasets_config'))
    draft.comments.set(
      'datasets_config',
      'misc trains all alike; the adaptive loss learns ideas, attention or both (docs/adaptive-loss.md)',
    );
}

/** What is taken out where a key is missed that nothing was given for. */
const causes: Readonly<Record<string, string>> = {
  'training_config.min_lr_rate': 'training_config.lr_scheduler_type',
  'peft_config.target_modules': 'peft_config.layers_to_transform',
};

/** Takes out what this library cannot take, until nothing is wrong. */
function dropFaults(draft: Draft): void {
  for (;;) {
    const { faults } = readConfig(draft.config, {}).reader;
    const wrong = faults.map(({ path, message }) => {
      const [at] = /^\w+(\.\w+)?/.exec(path)!;
      return { at: isThere(draft, at) ? at : causes[at], message };
    });
    const known = new Map(wrong.map(({ at, message }) => [at, message]));
    for (const [at, message] of known) if (at !== undefined && isThere(draft, at)) draft.drop(at, message);
    addPlaceholders(draft);
    if (faults.length === 0) return;
    if (![...known.keys()].some((at) => at !== undefined)) {
      throw new Error(
        `A configuration that was made is not valid: ${faults.map(({ message }) => message).join(', ')}`,
      );
    }
  }
}

function isThere(draft: Draft, path: string): boolean {
  const [group, key] = path.split('.') as [string, string?];
  const at = draft.config[group];
  return key === undefined ? at !== undefined : isPlainObject(at) && key in at;
}
