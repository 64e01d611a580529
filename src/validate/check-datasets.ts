import { join, resolve } from 'node:path';
import type { DatasetFiles } from '../config/datasets/dataset-files.js';
import type { DatasetLocation, DatasetPlan } from '../config/datasets/dataset-plan.js';
import type { MixProgress } from '../events/dataset-report.js';
import { format } from '../common/format.js';
import { ClosedAnswers } from '../data/closed-answers.js';
import { datasetNotes } from '../data/chats/dataset-notes.js';
import { leftOut } from '../data/left-out.js';
import { MixContext } from '../data/mix/mix-context.js';
import { nothingLeft } from '../data/nothing-left.js';
import type { DatasetSource, Sample } from '../data/sources/dataset-source.js';
import { encodeSplit, type EncodedSplit } from '../data/tokens/encode-split.js';
import type { TokenRows } from '../data/tokens/token-rows.js';
import { isFromFile } from '../config/datasets/file-function.js';
import { openDataset } from '../data/sources/open-dataset.js';
import { sampleToChat } from '../data/chats/sample-to-chat.js';
import { AdaptiveTrainerError } from '../errors.js';
import { checkAccess } from '../hub/client/check-access.js';
import { findDataset } from '../hub/datasets/download-dataset.js';
import type { HubSettings } from '../common/hub-settings.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import { beyondPositions } from '../model/rotary-positions.js';
import { askHub } from './ask-hub.js';
import { RepeatedRows } from './repeated-rows.js';
import type { AdaptiveLossConfig, TrainingConfig } from '../config/schema/parsed-config.js';
import type { ConfigFault } from '../common/config-fault.js';

/** What to check. */
export interface CheckDatasets {
  /** Those without a fault of the configuration itself. */
  datasets: readonly DatasetPlan[];
  /** Undefined where there is none to try chats on. */
  tokenizer: Tokenizer | undefined;
  /** Undefined where it has faults of its own. */
  trainingConfig: TrainingConfig | undefined;
  /** Undefined where it has faults of its own. */
  adaptiveLossConfig: AdaptiveLossConfig | undefined;
  /** How many tokens the model was made for; undefined where that is not known. */
  positions: number | undefined;
  settings: HubSettings;
  onNote: (note: string) => void;
  /** How many rows of each split are looked at; Infinity: all. */
  rows: number;
  onProgress: (progress: MixProgress) => void;
}

/**
 * Opens every dataset on this disk and tries its rows: that each can be read, makes a chat, and that the model's chat
 * template takes it; and tells how many are too long, or have nothing to train. Of a dataset of the Hub it looks for the files;
 * their rows are tried where they are in the cache.
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
  const { settings, onNote } = check;
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
  const repeated = new RepeatedRows();
  await trySplit(plan, 'train', source, check, repeated);
  await trySplit(plan, 'eval', source, check, repeated);
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

/** Reads the rows of a split as a run would, and keeps their tokens for it. */
async function trySplit(
  plan: DatasetPlan,
  split: 'train' | 'eval',
  source: DatasetSource,
  check: CheckDatasets,
  repeated: RepeatedRows,
): Promise<void> {
  const { tokenizer, trainingConfig, adaptiveLossConfig, positions = Infinity, rows } = check;
  const { onNote, onProgress } = check;
  const samples = split === 'train' ? source.train : source.eval;
  if (samples === undefined) return;
  // A user's function may have effects, so it is not tried out; the files are opened, which says something too.
  const isTried = plan.process === null || isFromFile(plan.process);
  if (!isTried || tokenizer === undefined || trainingConfig === undefined) {
    for await (const sample of samples()) {
      if (isTried) await sampleToChat(plan, sample);
      return;
    }
    return;
  }
  const { maxLengthToken, trainOnHeader } = trainingConfig;
  const isAll = rows === Infinity;
  const context = await MixContext.create({
    tokenizer,
    maxLengthToken,
    trainOnHeader,
    onWarning: onNote,
    onProgress,
    cacheDir: isAll ? undefined : null,
  });
  try {
    const tried = isAll ? samples() : firstRows(samples(), rows);
    const files = source.files?.[split];
    const encoded = await encodeSplit({ ...plan, onBadRow: 'skip' }, split, tried, files, context);
    if (encoded.bad > 0 && plan.onBadRow === 'stop') throw badRows(encoded);
    if (split === 'train' && encoded.rows.length === 0 && isAll)
      throw nothingLeft(plan, encoded, maxLengthToken);
    const left = leftOut(encoded, maxLengthToken);
    const what = `${split === 'eval' ? 'validation ' : ''}rows${isAll ? '' : ' (the first ones)'}`;
    if (left.length > 0) {
      onNote(`${plan.path}: of ${format.count(encoded.read)} ${what} of "${plan.name}", ${left.join(', ')}`);
    }
    const { lengths } = encoded.rows;
    if (split === 'train' && isAll && plan.limit !== null && lengths.length < plan.limit)
      onNote(
        `${plan.path}: "${plan.name}" has ${format.count(lengths.length)} of the ${format.count(plan.limit)} rows that are asked for`,
      );
    const long = lengths.filter((length) => length > positions).length;
    if (long > 0) onNote(`${plan.path}: ${beyondPositions(long, lengths.length, positions)}`);
    const again = await repeated[split](encoded.rows);
    if (again !== undefined) onNote(`${plan.path}: ${again}`);
    if (split === 'train') datasetNotes(plan, encoded, tokenizer).forEach(onNote);
    const note = adaptiveLossConfig && answersOf(encoded.rows).note(plan, adaptiveLossConfig);
    if (split === 'train' && note !== undefined) onNote(note);
  } finally {
    await context.close();
  }
}

/** Of the first rows. */
function answersOf(rows: TokenRows): ClosedAnswers {
  const answers = new ClosedAnswers();
  for (let row = 0; row < Math.min(rows.length, 2000); row++) answers.add(rows.row(row).labels);
  return answers;
}

function badRows({ bad, badRows: listed, read }: EncodedSplit): AdaptiveTrainerError {
  const rest = bad > listed.length ? `; and ${format.count(bad - listed.length)} more` : '';
  const reasons = listed.map(({ where, reason }) => `${where}: ${reason.replace(/\.$/, '')}`).join('; ');
  return new AdaptiveTrainerError(
    'DATASET_INVALID',
    `expected rows that can be used, but ${format.count(bad)} of ${format.count(read)} cannot: ${reasons}${rest}. Mend ` +
      `them, or set "onBadRow": "skip" in the dataset's datasetsKwargs to leave them out`,
  );
}

async function* firstRows(samples: AsyncIterable<Sample>, count: number): AsyncGenerator<Sample> {
  let given = 0;
  for await (const sample of samples) {
    if (given++ >= count) return;
    yield sample;
  }
}
