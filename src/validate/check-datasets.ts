import { join, resolve } from 'node:path';
import type { DatasetFiles } from '../config/datasets/dataset-files.js';
import type { DatasetLocation, DatasetPlan } from '../config/datasets/dataset-plan.js';
import type { Sample } from '../data/sources/dataset-source.js';
import { openDataset } from '../data/sources/open-dataset.js';
import { sampleToChat } from '../data/chats/sample-to-chat.js';
import { AdaptiveTrainerError } from '../errors.js';
import { checkAccess } from '../hub/client/check-access.js';
import { findDataset } from '../hub/datasets/download-dataset.js';
import type { HubSettings } from '../common/hub-settings.js';
import { encodeChat } from '../tokenizer/encode/encode-chat.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import { askHub } from './ask-hub.js';
import type { ConfigFault } from '../common/config-fault.js';

/** What to check. */
export interface CheckDatasets {
  /** Those without a fault of the configuration itself. */
  datasets: readonly DatasetPlan[];
  /** Undefined where there is none to try chats on. */
  tokenizer: Tokenizer | undefined;
  settings: HubSettings;
  onNote: (note: string) => void;
}

/**
 * Opens every dataset on this disk and tries the first row of each split: that it can be read, makes a chat, and that
 * the model's chat template takes it. Of a dataset of the Hub it looks for the files; their rows are tried where they are
 * in the cache.
 */
export async function checkDatasets(check: CheckDatasets): Promise<ConfigFault[]> {
  const faults: ConfigFault[] = [];
  for (const plan of check.datasets) {
    const { path } = plan;
    try {
      const fault = await faultOfDataset(plan, check);
      if (fault !== undefined) faults.push({ path, code: 'INVALID', message: fault });
    } catch (error) {
      if (!AdaptiveTrainerError.isInstance(error)) throw error;
      faults.push({ path, code: 'INVALID', message: error.message });
    }
  }
  return faults;
}

/** @returns what the Hub has against it @throws AdaptiveTrainerError what is wrong on this disk */
async function faultOfDataset(plan: DatasetPlan, check: CheckDatasets): Promise<string | undefined> {
  const { settings, tokenizer, onNote } = check;
  let [fault, isRead]: [string | undefined, boolean] = [undefined, true];
  const source = await openDataset(plan, onNote, async (id, location, onWarning) => {
    const noteOn = (note: string) => onNote(`${plan.path}: ${note}`);
    const reply = await askHub(() => findOnHub(id, location, settings, onWarning), noteOn);
    if (reply.fault !== undefined) fault = `${reply.fault} (There is no ${resolve(id)} either.)`;
    const files = reply.answer ?? undefined;
    isRead = files !== undefined;
    if (reply.answer === null)
      noteOn(`${JSON.stringify(id)} is on the Hub; its rows are read when it is trained on`);
    return files ?? { train: [], eval: undefined };
  });
  if (!isRead) return fault;
  await trySplit(plan, source.train(), tokenizer, onNote);
  if (source.eval !== undefined) await trySplit(plan, source.eval(), tokenizer, onNote);
  return undefined;
}

/** Its files where they are in the cache, null where they would have to be fetched. */
async function findOnHub(
  id: string,
  location: DatasetLocation,
  settings: HubSettings,
  onWarning: (message: string) => void,
): Promise<DatasetFiles | null> {
  const { snapshot, chosen } = await findDataset(id, location, { settings, onWarning });
  const paths = [...chosen.train, ...(chosen.eval ?? [])];
  if (!snapshot.isOnline) await snapshot.fetch(paths);
  else if (!(await snapshot.has(paths))) {
    await checkAccess(settings, { type: 'dataset', name: id });
    return null;
  }
  const local = (some: string[]) => some.map((one) => join(snapshot.dir, ...one.split('/')));
  return { train: local(chosen.train), eval: chosen.eval && local(chosen.eval) };
}

async function trySplit(
  plan: DatasetPlan,
  samples: AsyncIterable<Sample>,
  tokenizer: Tokenizer | undefined,
  onWarning: (message: string) => void,
): Promise<void> {
  for await (const sample of samples) {
    // A user's function may have effects, so it is not tried out; the files are open, which says something too.
    const chat = plan.process === null ? await sampleToChat(plan, sample) : null;
    if (chat === null || tokenizer === undefined) return;
    try {
      encodeChat(tokenizer, chat, { onWarning });
    } catch (error) {
      if (!AdaptiveTrainerError.isInstance(error)) throw error;
      throw new AdaptiveTrainerError(error.code, `${sample.where}: ${error.message}`, { cause: error });
    }
    return;
  }
}
