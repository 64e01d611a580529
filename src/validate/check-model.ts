import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { checkAccess } from '../hub/client/check-access.js';
import { findModel } from '../hub/models/download-model.js';
import type { HubSettings } from '../common/hub-settings.js';
import { isHubName } from '../common/is-hub-name.js';
import { askHub, type HubReply } from './ask-hub.js';
import { kindOfPath } from './kind-of-path.js';

const needed = ['config.json', 'tokenizer.json'];

/**
 * Looks whether a model is there and has the files that training needs: a folder, else the Hub's (or, offline, the
 * cache's) of that name.
 * @returns `answer`: true when it is
 */
export async function checkModel(
  name: string,
  settings: HubSettings,
  onNote: (note: string) => void,
  needsWeights = true,
): Promise<HubReply<true>> {
  const folder = path.resolve(name);
  const kind = await kindOfPath(folder);
  const received = JSON.stringify(name);
  if (kind === 'file')
    return { fault: `expected the folder of a model, received ${received}, which is a file` };
  if (kind === 'folder') {
    const fault = faultOfFiles(await readdir(folder), folder, needsWeights);
    return fault === undefined ? { answer: true } : { fault };
  }
  if (!isHubName(name)) {
    return { fault: `expected the folder of a model, received ${received}, but there is no ${folder}` };
  }
  const { fault, answer } = await askHub(() => findOnHub(name, settings), onNote);
  const onHub = fault ?? (answer === undefined ? undefined : faultOfFiles(answer, `${received} on the Hub`));
  if (onHub !== undefined) return { fault: `${onHub} (There is no folder ${folder} either.)` };
  return answer === undefined ? {} : { answer: true };
}

async function findOnHub(name: string, settings: HubSettings): Promise<readonly string[]> {
  const { snapshot, paths } = await findModel(name, { settings });
  if (snapshot.isOnline) await checkAccess(settings, { type: 'model', name });
  else await snapshot.fetch(paths.filter((one) => needed.includes(one) || one.endsWith('.safetensors')));
  return snapshot.paths;
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
