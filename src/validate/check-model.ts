import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { checkAccess } from '../hub/client/check-access.js';
import { notAModel } from '../common/not-a-model.js';
import { AdaptiveTrainerError } from '../errors.js';
import { findModel, type HubModel } from '../hub/models/download-model.js';
import type { HubSettings } from '../common/hub-settings.js';
import { isHubName } from '../common/is-hub-name.js';
import { kindOfPath } from '../common/kind-of-path.js';
import { checkModelFiles, type CheckedModel } from '../model/check-model-files.js';
import { modelIn, modelOnHub, type LocatedModel } from '../model/files/located-model.js';
import { askHub, type HubReply } from './ask-hub.js';

const needed = ['config.json', 'tokenizer.json'];

/** How a model is checked. */
export interface CheckModel {
  settings: HubSettings;
  /** False where it gets new weights. */
  needsWeights: boolean;
  ignoreDropout: boolean;
}

/**
 * Looks whether a model is there, has the files that training needs, and can be computed as its config.json says, with
 * weights whose headers have every tensor in its shape: a folder, else the Hub's (or, offline, the cache's) of that name.
 * @returns `answer`: what is known of it when it is
 */
export async function checkModel(
  name: string,
  options: CheckModel,
  onNote: (note: string) => void,
): Promise<HubReply<CheckedModel>> {
  const folder = path.resolve(name);
  const received = JSON.stringify(name);
  const { fault: unknown, answer: kind } = await askHub(() => kindOfPath(folder), onNote);
  if (unknown !== undefined) return { fault: unknown };
  if (kind !== 'nothing') {
    const other = notAModel(folder);
    if (other !== undefined) return { fault: `expected the folder of a model, received ${other}` };
    const fault = faultOfFiles(await readdir(folder), folder, options.needsWeights);
    return fault === undefined ? checkFiles(async () => modelIn(folder), options, onNote) : { fault };
  }
  if (!isHubName(name)) {
    return { fault: `expected the folder of a model, received ${received}, but there is no ${folder}` };
  }
  const { fault, answer } = await askHub(() => findOnHub(name, options), onNote);
  const onHub =
    fault ?? (answer && faultOfFiles(answer.snapshot.paths, `${received} on the Hub`, options.needsWeights));
  if (onHub !== undefined) return { fault: `${onHub} (There is no folder ${folder} either.)` };
  if (answer === undefined) return {};
  return checkFiles(() => modelOnHub(answer), options, onNote);
}

async function findOnHub(name: string, options: CheckModel): Promise<HubModel> {
  const model = await findModel(name, options);
  const { snapshot, paths } = model;
  if (snapshot.isOnline) await checkAccess(options.settings, { type: 'model', name });
  else {
    const isWeight = (path: string) => path.endsWith('.safetensors');
    await snapshot.fetch(
      paths.filter((path) => needed.includes(path) || (options.needsWeights && isWeight(path))),
    );
  }
  return model;
}

/** Reads config.json and the headers of the weights. */
async function checkFiles(
  locate: () => Promise<LocatedModel>,
  options: CheckModel,
  onNote: (note: string) => void,
): Promise<HubReply<CheckedModel>> {
  // What the weights need of this machine is no fault of the configuration.
  const isOfMachine = (error: unknown) =>
    AdaptiveTrainerError.isInstance(error) && /^(ADDON|LIBTORCH)/.test(error.code);
  return askHub(async () => {
    const model = await locate();
    try {
      return await checkModelFiles(model, options);
    } catch (error) {
      if (!isOfMachine(error)) throw error;
      onNote(`the weights could not be checked. ${(error as Error).message}`);
      return checkModelFiles(model, { ...options, needsWeights: false });
    }
  }, onNote);
}

function faultOfFiles(files: readonly string[], place: string, needsWeights: boolean): string | undefined {
  if (files.includes('adapter_config.json')) {
    if (files.includes('adapter_model.safetensors')) return undefined;
    return `expected the folder of an adapter, received ${place}, which lacks adapter_model.safetensors`;
  }
  const lacking = needed.filter((file) => !files.includes(file));
  if (needsWeights && !files.some((file) => file.endsWith('.safetensors'))) lacking.push('model.safetensors');
  if (lacking.length === 0) return undefined;
  return `expected the folder of a model, received ${place}, which lacks ${lacking.join(', ')}`;
}
