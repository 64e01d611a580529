import { constants } from 'node:fs';
import { access, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { AdaptiveTrainerError } from '../errors.js';
import { applyChatTemplate } from '../tokenizer/apply-chat-template.js';
import { Tokenizer } from '../tokenizer/tokenizer.js';
import { checkDatasets } from './check-datasets.js';
import type { ConfigFault } from './config-fault.js';
import { parseConfig } from './parse-config.js';
import type { ParsedConfig } from './parsed-config.js';
import { snakeCase } from './snake-case.js';
import { throwFaults } from './throw-faults.js';
import { writesSnakeCase } from './writes-snake-case.js';

/** A configuration that passed, and what else there is to say about it. */
export interface ValidatedConfig {
  config: ParsedConfig;
  /** What could not be checked, and settings that have no effect. */
  notes: string[];
}

/**
 * Checks a whole configuration without training: what `parseConfig` checks, and then that the model, the datasets and a
 * place for the output are there; the first row of each split is rendered and encoded. Relative paths start at the current
 * directory.
 * @throws AdaptiveTrainerError CONFIG_INVALID, once for all faults of the values or, where those are fine, of the paths
 */
export async function validateConfig(
  input: unknown,
  env: NodeJS.ProcessEnv = process.env,
): Promise<ValidatedConfig> {
  const config = parseConfig(input, env);
  const spell = writesSnakeCase(input) ? snakeCase : (name: string) => name;
  const faults: ConfigFault[] = [];
  const notes: string[] = [];
  const refuse = (at: string, message: string | undefined) => {
    if (message !== undefined) faults.push({ path: at, code: 'INVALID', message });
  };
  refuse(
    spell('modelName'),
    await faultOfModel(config.modelName, (note) => notes.push(`${spell('modelName')}: ${note}`)),
  );
  const isModelThere = faults.length === 0 && (await kindOf(path.resolve(config.modelName))) === 'folder';
  const tokenizer = isModelThere
    ? await openTokenizer(config, refuse, spell, (note) => notes.push(note))
    : undefined;
  faults.push(...(await checkDatasets(config, tokenizer, spell, (note) => notes.push(note))));
  refuse(spell('outputDir'), await faultOfOutput(config.outputDir));
  throwFaults(faults);
  return { config, notes };
}

/** The tokenizer with the chat template it would train with, to try the datasets on. */
async function openTokenizer(
  config: ParsedConfig,
  refuse: (at: string, message: string) => void,
  spell: (name: string) => string,
  onNote: (note: string) => void,
): Promise<Tokenizer | undefined> {
  try {
    const tokenizer = await Tokenizer.fromPretrained(config.modelName);
    applyChatTemplate(tokenizer, config.trainingConfig.chatTemplate, onNote);
    return tokenizer;
  } catch (error) {
    if (!AdaptiveTrainerError.isInstance(error)) throw error;
    const isTemplate = error.code === 'CHAT_TEMPLATE_FAILED';
    refuse(
      isTemplate ? `${spell('trainingConfig')}.${spell('chatTemplate')}` : spell('modelName'),
      error.message,
    );
    return undefined;
  }
}

async function faultOfModel(name: string, onNote: (note: string) => void): Promise<string | undefined> {
  const folder = path.resolve(name);
  const kind = await kindOf(folder);
  if (kind === 'file')
    return `expected the folder of a model, received ${JSON.stringify(name)}, which is a file`;
  if (kind === 'nothing') {
    if (!/^[\w-][\w.-]*(\/[\w-][\w.-]*)?$/.test(name)) {
      return `expected the folder of a model, received ${JSON.stringify(name)}, but there is no ${folder}`;
    }
    onNote(
      `there is no ${folder}, so ${JSON.stringify(name)} is taken for a name on the Hub, which was not checked`,
    );
    return undefined;
  }
  const files = await readdir(folder);
  if (files.includes('adapter_config.json')) {
    if (files.includes('adapter_model.safetensors')) return undefined;
    return `expected the folder of an adapter, received ${folder}, which lacks adapter_model.safetensors`;
  }
  const lacking = ['config.json', 'tokenizer.json'].filter((file) => !files.includes(file));
  if (!files.some((file) => file.endsWith('.safetensors'))) lacking.push('model.safetensors');
  if (lacking.length === 0) return undefined;
  return `expected the folder of a model, received ${folder}, which lacks ${lacking.join(', ')}`;
}

async function faultOfOutput(name: string): Promise<string | undefined> {
  let folder = path.resolve(name);
  while ((await kindOf(folder)) === 'nothing' && path.dirname(folder) !== folder)
    folder = path.dirname(folder);
  if ((await kindOf(folder)) !== 'folder') {
    return `expected a folder, or one that can be made, received ${JSON.stringify(name)}, but ${folder} is a file`;
  }
  try {
    await access(folder, constants.W_OK);
    return undefined;
  } catch {
    return `expected a folder to write to, received ${JSON.stringify(name)}, but ${folder} is not writable`;
  }
}

async function kindOf(place: string): Promise<'folder' | 'file' | 'nothing'> {
  try {
    return (await stat(place)).isDirectory() ? 'folder' : 'file';
  } catch (error) {
    // ENOTDIR: a part of the path is a file, which is found when that part is looked at.
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return 'nothing';
    throw error;
  }
}
