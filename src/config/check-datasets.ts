import path from 'node:path';
import type { DatasetPlan } from '../data/dataset-plan.js';
import type { Sample } from '../data/dataset-source.js';
import { openDataset } from '../data/open-dataset.js';
import { planDatasets } from '../data/plan-datasets.js';
import { planMixing } from '../data/plan-mixing.js';
import { sampleToChat } from '../data/sample-to-chat.js';
import { AdaptiveTrainerError } from '../errors.js';
import { encodeChat } from '../tokenizer/encode-chat.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import type { ConfigFault } from './config-fault.js';
import type { ParsedConfig } from './parsed-config.js';

/**
 * Opens every dataset on this disk and tries the first row of each split: that it can be read, makes a chat, and that
 * the model's chat template takes it.
 *
 * @param tokenizer undefined where there is none to try chats on
 * @param spell names in the user's spelling
 */
export async function checkDatasets(
  config: ParsedConfig,
  tokenizer: Tokenizer | undefined,
  spell: (name: string) => string,
  onNote: (note: string) => void,
): Promise<ConfigFault[]> {
  const plans = planDatasets(config.datasetsConfig, config, onNote);
  const faults: ConfigFault[] = faultsOfMixing(config, plans, spell);
  for (const plan of plans) {
    const at = plan.path.replace(/^datasetsConfig/, spell);
    try {
      await tryDataset({ ...plan, path: at }, tokenizer, onNote);
    } catch (error) {
      if (!AdaptiveTrainerError.isInstance(error)) throw error;
      const code = error.code === 'NOT_AVAILABLE' ? 'NOT_AVAILABLE' : 'INVALID';
      faults.push({ path: at, code, message: error.message });
    }
  }
  return faults;
}

async function tryDataset(
  plan: DatasetPlan,
  tokenizer: Tokenizer | undefined,
  onNote: (note: string) => void,
): Promise<void> {
  let isOnHub = false;
  const source = await openDataset(plan, onNote, async (id) => {
    isOnHub = true;
    onNote(
      `${plan.path}: there is no ${path.resolve(id)}, so ${JSON.stringify(id)} is taken for a name on the Hub, which was not checked`,
    );
    return { train: [], eval: undefined };
  });
  if (isOnHub) return;
  await trySplit(plan, source.train(), tokenizer, onNote);
  if (source.eval !== undefined) await trySplit(plan, source.eval(), tokenizer, onNote);
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

function faultsOfMixing(
  { trainingConfig }: ParsedConfig,
  plans: readonly DatasetPlan[],
  spell: (name: string) => string,
): ConfigFault[] {
  try {
    planMixing(trainingConfig, plans);
    return [];
  } catch (error) {
    if (!AdaptiveTrainerError.isInstance(error)) throw error;
    const faults = error.details['faults'] as ConfigFault[];
    return faults.map((fault) => ({ ...fault, path: `${spell('trainingConfig')}.${spell(fault.path)}` }));
  }
}
