import type { DatasetsConfigInput } from '../config/datasets/datasets-config.js';
import { AdaptiveTrainerError } from '../errors.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import type { DatasetPlan } from '../config/datasets/dataset-plan.js';
import type { DatasetSource } from './sources/dataset-source.js';
import { divideRows } from './mix/divide-rows.js';
import { encodeSplit, type EncodedSplit } from './tokens/encode-split.js';
import type { FetchHubDataset } from './sources/fetch-hub-dataset.js';
import { MixContext } from './mix/mix-context.js';
import { mixOrder } from './mix/mix-order.js';
import type { DatasetReport, MixProgress } from '../events/dataset-report.js';
import type { MixedDatasets } from './mix/mixed-datasets.js';
import { mixedRows, type ChosenRows } from './mix/mixed-rows.js';
import { nothingLeft } from './nothing-left.js';
import { openDataset } from './sources/open-dataset.js';
import { planDatasets } from '../config/datasets/plan-datasets.js';
import type { DatasetTables } from '../config/datasets/datasets-config.js';
import { planMixing, type MixingOptions } from '../config/datasets/plan-mixing.js';
import { badRow } from './chats/bad-row.js';
import { datasetNotes } from './chats/dataset-notes.js';
import { sampleToChat } from './chats/sample-to-chat.js';
import { throwTogether } from '../common/throw-together.js';

export interface DatasetMixerOptions extends DatasetTables, MixingOptions {
  /** Datasets by learning style, or `datasets` of a parsed configuration, which hold the tables beside it already. */
  datasetsConfig: DatasetsConfigInput | readonly DatasetPlan[];
  tokenizer: Tokenizer;
  /** Rows with more tokens are left out and counted. Default 4096. */
  maxLengthToken?: number;
  /** For the order of the mixed training rows. Default 42. Which rows are held out or trimmed does not depend on it. */
  seed?: number;
  /** Train the header of assistant turns too, as the Python package does. Default false. */
  trainOnHeader?: boolean;
  /**
   * Where tokens are kept, so that a second run with the same rows and settings starts in seconds; null: nowhere.
   * Default: `tokens` in ADAPTIVE_TRAINER_CACHE or the user's cache folder. Datasets of few rows are never kept.
   */
  cacheDir?: string | null;
  /** Brings datasets of the Hub onto this disk. Default: they are refused. */
  fetchHubDataset?: FetchHubDataset;
  /** Default: `process.emitWarning`. */
  onWarning?: (message: string) => void;
  /** Told every few dozen milliseconds of work, and at the end of each split. */
  onProgress?: (progress: MixProgress) => void;
  /** Aborting ends `build`, which then rejects with ABORTED. */
  signal?: AbortSignal | undefined;
}

/**
 * Reads datasets, turns their rows into chats and tokens, and mixes them into one training and one evaluation set.
 *
 * @example
 * const mixer = new DatasetMixer({ tokenizer, datasetsConfig: { ideas: ['./recipes.jsonl:|:500'] } });
 * const { train, eval: evaluation, report } = await mixer.build();
 */
export class DatasetMixer {
  private readonly maxLengthToken: number;
  private readonly seed: number;
  private readonly onWarning: (message: string) => void;

  /** @throws AdaptiveTrainerError `INVALID_INPUT` for a number out of range */
  constructor(private readonly options: DatasetMixerOptions) {
    const { maxLengthToken = 4096, seed = 42 } = options;
    checkWhole('maxLengthToken', maxLengthToken, 2); // one token has none before it to be predicted from
    checkWhole('seed', seed, 0);
    this.maxLengthToken = maxLengthToken;
    this.seed = seed;
    this.onWarning =
      options.onWarning ?? ((message) => process.emitWarning(message, 'AdaptiveTrainerWarning'));
  }

  /**
   * Does the work, in threads where there are many rows. Timers and I/O of the process go on meanwhile.
   *
   * @throws AdaptiveTrainerError `CONFIG_INVALID` for a configuration with faults (all in `details.faults`),
   * `DATASET_NOT_FOUND`, `NOT_AVAILABLE` for datasets of the Hub without `fetchHubDataset`, `DATASET_INVALID` for rows
   * and files that cannot be used or when none is left to train on, `CHAT_TEMPLATE_FAILED`, `ABORTED`
   */
  async build(): Promise<MixedDatasets> {
    const { datasetsConfig, tokenizer, cacheDir, trainOnHeader = false, onProgress, signal } = this.options;
    const plans = planDatasets(datasetsConfig, this.options, this.onWarning);
    const mixing = planMixing(this.options, plans);
    const sources = await this.open(plans);
    const { maxLengthToken, onWarning } = this;
    const context = await MixContext.create({
      tokenizer,
      maxLengthToken,
      trainOnHeader,
      cacheDir,
      onWarning,
      signal,
      onProgress: onProgress ?? (() => {}),
    });
    try {
      const parts = await this.encodeAll(sources, context);
      const sizes = parts.train.map(({ chosen }) => chosen.length);
      return {
        train: mixedRows(parts.train, mixOrder(sizes, mixing, this.seed), tokenizer.vocabSize),
        eval: mixedRows(parts.eval, undefined, tokenizer.vocabSize),
        report: parts.report,
      };
    } finally {
      await context.close();
    }
  }

  private async encodeAll(sources: ReadonlyMap<DatasetPlan, DatasetSource>, context: MixContext) {
    const encoded: { plan: DatasetPlan; rows: EncodedSplit; validation: EncodedSplit | undefined }[] = [];
    const empty: AdaptiveTrainerError[] = [];
    for (const [plan, source] of sources) {
      const { files } = source;
      const rows = await encodeSplit(plan, 'train', source.train(), files?.train, context);
      const validation =
        source.eval && (await encodeSplit(plan, 'eval', source.eval(), files?.eval, context));
      if (rows.rows.length === 0) empty.push(nothingLeft(plan, rows, this.maxLengthToken));
      else encoded.push({ plan, rows, validation });
    }
    await context.close(); // what the threads took is needed for the lists of rows
    throwTogether(empty);
    return this.divide(encoded);
  }

  private divide(
    encoded: readonly { plan: DatasetPlan; rows: EncodedSplit; validation: EncodedSplit | undefined }[],
  ) {
    const train: ChosenRows[] = [];
    const evaluation: ChosenRows[] = [];
    const report: DatasetReport[] = [];
    for (const { plan, rows, validation } of encoded) {
      const divided = divideRows(rows.rows.length, validation?.rows.length, plan.limit);
      this.warnOfEval(plan, rows, validation);
      const made = makeReport(plan, divided, rows, validation);
      const remarks = [...new Set([...rows.remarks, ...(validation?.remarks ?? [])])];
      const noted = { ignoredColumns: made.ignoredColumns, remarks };
      datasetNotes(plan, noted, this.options.tokenizer).forEach(this.onWarning);
      report.push(made);
      const { style, label: name } = plan;
      train.push({ rows: rows.rows, chosen: divided.train, style, source: name });
      evaluation.push({ rows: (validation ?? rows).rows, chosen: divided.eval, style, source: name });
    }
    return { train, eval: evaluation, report };
  }

  /** Finds all datasets, and looks at the first row of each, before the long work on any begins. */
  private async open(plans: readonly DatasetPlan[]): Promise<Map<DatasetPlan, DatasetSource>> {
    const sources = new Map<DatasetPlan, DatasetSource>();
    const errors: AdaptiveTrainerError[] = [];
    for (const plan of plans) {
      try {
        const source = await openDataset(plan, this.onWarning, this.options.fetchHubDataset);
        // A user's function may count its calls or have other effects, so it is not tried out.
        if (plan.process === null && plan.onBadRow === 'stop') await tryFirstRow(plan, source);
        sources.set(plan, source);
      } catch (error) {
        if (!AdaptiveTrainerError.isInstance(error)) throw error;
        errors.push(error);
      }
    }
    throwTogether(errors);
    return sources;
  }

  private warnOfEval(plan: DatasetPlan, rows: EncodedSplit, validation: EncodedSplit | undefined): void {
    const count = rows.rows.length;
    const subject = `Dataset "${plan.name}" (${plan.path})`;
    if (validation === undefined && count === 1) {
      this.onWarning(`${subject} has one usable row and no validation split, so nothing of it is evaluated.`);
    } else if (validation === undefined && count < 20) {
      this.onWarning(
        `${subject} has ${count} usable rows and no validation split; one is held out, so its evaluation says little.`,
      );
    } else if (validation !== undefined && validation.read > 0 && validation.rows.length === 0) {
      this.onWarning(
        `${subject}: none of the ${validation.read} validation rows is usable, so nothing of it is evaluated.`,
      );
    }
  }
}

async function tryFirstRow(plan: DatasetPlan, source: DatasetSource): Promise<void> {
  for await (const sample of source.train()) {
    await sampleToChat(plan, sample);
    return;
  }
}

function makeReport(
  plan: DatasetPlan,
  divided: ReturnType<typeof divideRows>,
  rows: EncodedSplit,
  validation: EncodedSplit | undefined,
): DatasetReport {
  const sum = (count: (part: EncodedSplit) => number) =>
    count(rows) + (validation === undefined ? 0 : count(validation));
  const source = validation === undefined ? 'held out' : 'split';
  return {
    name: plan.label,
    style: plan.style,
    train: divided.train.length,
    eval: divided.eval.length,
    droppedTooLong: sum((part) => part.tooLong),
    droppedNoTrainedToken: sum((part) => part.noTrainedToken),
    skippedByFunction: sum((part) => part.skipped),
    skippedBad: sum((part) => part.bad),
    badRows: [...rows.badRows, ...(validation?.badRows ?? [])].slice(0, badRow.mostListed),
    ignoredColumns: [...new Set([...rows.ignoredColumns, ...(validation?.ignoredColumns ?? [])])],
    trimmedTo: divided.isTrimmed ? plan.limit : null,
    evalFrom: divided.eval.length === 0 ? 'none' : source,
    tokens: divided.train.reduce((total, row) => total + rows.rows.lengths[row]!, 0),
    trainedTokens: divided.train.reduce((total, row) => total + rows.rows.trained[row]!, 0),
    systemPrompt: plan.systemPrompt,
  };
}

function checkWhole(name: string, value: number, least: number): void {
  if (Number.isSafeInteger(value) && value >= least) return;
  throw new AdaptiveTrainerError(
    'INVALID_INPUT',
    `Expected ${name} to be a whole number, ${least} or more, but received ${value}.`,
  );
}
