import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { checkAccess } from '../hub/client/check-access.js';
import type { DecoderConfig } from '../engine/addon.js';
import { AdaptiveTrainerError } from '../errors.js';
import { fetchConfig, findModel } from '../hub/models/download-model.js';
import type { HubSettings } from '../common/hub-settings.js';
import { isHubName } from '../common/is-hub-name.js';
import { checkModelFolder } from '../model/check-model-folder.js';
import { askHub, type HubReply } from './ask-hub.js';
import { kindOfPath } from './kind-of-path.js';

const needed = ['config.json', 'tokenizer.json'];

/**
 * Looks whether a model is there, has the files that training needs, and can be computed as its config.json says: a
 * folder, with the headers of its weights, else the Hub's (or, offline, the cache's) of that name.
 * @returns `answer`: what config.json says when it is; null for an adapter
 */
export async function checkModel(
  name: string,
  settings: HubSettings,
  onNote: (note: string) => void,
  { needsWeights = true, ignoreDropout = false } = {},
): Promise<HubReply<DecoderConfig | null>> {
  const folder = path.resolve(name);
  const kind = await kindOfPath(folder);
  const received = JSON.stringify(name);
  if (kind === 'file')
    return { fault: `expected the folder of a model, received ${received}, which is a file` };
  if (kind === 'folder') {
    const fault = faultOfFiles(await readdir(folder), folder, needsWeights);
    return fault === undefined ? faultOfModel(folder, { ignoreDropout, needsWeights }, onNote) : { fault };
  }
  if (!isHubName(name)) {
    return { fault: `expected the folder of a model, received ${received}, but there is no ${folder}` };
  }
  const { fault, answer } = await askHub(() => findOnHub(name, settings, ignoreDropout), onNote);
  const onHub =
    fault ?? (answer === undefined ? undefined : faultOfFiles(answer.paths, `${received} on the Hub`));
  if (onHub !== undefined) return { fault: `${onHub} (There is no folder ${folder} either.)` };
  return answer === undefined ? {} : { answer: answer.decoder };
}

async function findOnHub(name: string, settings: HubSettings, ignoreDropout: boolean) {
  const { snapshot, paths } = await findModel(name, { settings });
  if (snapshot.isOnline) await checkAccess(settings, { type: 'model', name });
  else await snapshot.fetch(paths.filter((one) => needed.includes(one) || one.endsWith('.safetensors')));
  const hasConfig = snapshot.paths.some((one) => one === 'config.json' || one === 'adapter_config.json');
  const decoder = hasConfig
    ? await checkModelFolder(await fetchConfig(snapshot), { ignoreDropout, needsWeights: false })
    : undefined;
  return { paths: snapshot.paths, decoder: decoder ?? null };
}

async function faultOfModel(
  folder: string,
  options: { ignoreDropout: boolean; needsWeights: boolean },
  onNote: (note: string) => void,
): Promise<HubReply<DecoderConfig | null>> {
  try {
    return { answer: (await checkModelFolder(folder, options)) ?? null };
  } catch (error) {
    if (!AdaptiveTrainerError.isInstance(error)) throw error;
    if (!/^(ADDON|LIBTORCH)/.test(error.code)) return { fault: error.message };
    onNote(`the weights could not be checked. ${error.message}`);
    return { answer: null };
  }
}

function faultOfFiles(files: readonly string[], place: string, needsWeights = true): string | undefined {
  if (files.includes('adapter_config.json')) {
    if (files.includes('adapter_model.safetensors')) return undefined;
    return `expected the folder of an adapter, received ${place}, which lacks adapter_model.safetensors`;
  }
  const lacking = needed.filter((file) => !files.includes(file));
  if (needsWeights && !files.some((file) => file.endsWith('.safetensors'))) lacking.push('model.safetensors');
  if (lacking.length === 0) return undefined;
  return `expected the folder of a model, received ${place}, which lacks ${lacking.join(', ')}`;
}
