import { AdaptiveTrainerError } from '../errors.js';
import { encodeRow } from './tokens/encode-row.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import { ClosedAnswers } from './closed-answers.js';
import type { AdaptiveLossConfig } from '../config/schema/parsed-config.js';
import type { DatasetPlan } from '../config/datasets/dataset-plan.js';
import type { DatasetSource, Sample } from './sources/dataset-source.js';
import { EventLoopPacer } from './tokens/event-loop-pacer.js';
import type { FetchHubDataset } from './sources/fetch-hub-dataset.js';
import type { LearningStyle } from '../events/learning-style.js';
import { openDataset } from './sources/open-dataset.js';
import { planDatasets } from '../config/datasets/plan-datasets.js';
import type { DatasetTables } from '../config/datasets/datasets-config.js';
import type { BadRow } from '../events/dataset-report.js';
import { badRow } from './chats/bad-row.js';
import { datasetNotes } from './chats/dataset-notes.js';
import { sampleToChat } from './chats/sample-to-chat.js';
import { throwTogether } from '../common/throw-together.js';
import { tokenRuns, type TokenRun } from './tokens/token-runs.js';

export interface PreviewOptions extends DatasetTables {
  /** Datasets by learning style, or `datasets` of a parsed configuration, which hold the tables beside it already. */
  datasetsConfig: unknown;
  tokenizer: Tokenizer;
  /** Rows with more tokens are dropped. Default 4096. */
  maxLengthToken?: number;
  /** Default false. */
  trainOnHeader?: boolean;
  /** The loss, to warn of a topK that does not suit a dataset. Default: no such warning. */
  adaptiveLoss?: Pick<AdaptiveLossConfig, 'loss' | 'topK'>;
  /** Rows to show of each dataset. Default 3. */
  rows?: number;
  /** Rows to count over, of each dataset. Default 1000; Infinity: all. */
  counted?: number;
  fetchHubDataset?: FetchHubDataset;
  onWarning?: (message: string) => void;
}

/** One row as it would be trained on. */
export interface RowPreview {
  /** `row 12 (rows.jsonl line 13)` */
  where: string;
  tokens: number;
  trainedTokens: number;
  /** Why it would not be trained on; null: it would be. */
  dropped: 'too long' | 'no trained token' | null;
  /** The whole rendered text in runs of trained and untrained tokens. */
  runs: TokenRun[];
}

/** A dataset before it is trained on. Counts are of the first rows of its training split. */
export interface DatasetPreview {
  name: string;
  style: LearningStyle;
  /** Where it stands in the configuration. */
  path: string;
  /** K of `name:|:K`. */
  limit: number | null;
  systemPrompt: string;
  contextMode: string | boolean;
  /** Files of the training and of the validation split; null: rows in memory, or no such split. */
  trainFiles: string[] | null;
  evalFiles: string[] | null;
  /** How many rows were looked at, and whether those are all. */
  counted: number;
  isAll: boolean;
  usable: number;
  tooLong: number;
  noTrainedToken: number;
  skipped: number;
  /** Rows that cannot be used, where `onBadRow` is `skip`; `badRows` has the first ten. */
  bad: number;
  badRows: BadRow[];
  ignoredColumns: string[];
  /** Of the rows that were not skipped. */
  longest: number;
  /** Of the usable rows. */
  meanTokens: number;
  trainedShare: number;
  rows: RowPreview[];
}

/**
 * Shows what datasets become before they are trained on: the first rows as rendered text with the tokens that are
 * trained, and counts over more of them. Trains nothing and keeps nothing.
 *
 * @throws AdaptiveTrainerError see `DatasetMixer.build`
 */
export async function previewDatasets(options: PreviewOptions): Promise<DatasetPreview[]> {
  const { datasetsConfig, fetchHubDataset, onWarning = () => {} } = options;
  const plans = planDatasets(datasetsConfig, options, onWarning);
  const previews: DatasetPreview[] = [];
  const errors: AdaptiveTrainerError[] = [];
  for (const plan of plans) {
    try {
      const source = await openDataset(plan, onWarning, fetchHubDataset);
      previews.push(await previewOf(plan, source, options));
    } catch (error) {
      if (!AdaptiveTrainerError.isInstance(error)) throw error;
      errors.push(error);
    }
  }
  throwTogether(errors);
  return previews;
}

async function previewOf(
  plan: DatasetPlan,
  source: DatasetSource,
  options: PreviewOptions,
): Promise<DatasetPreview> {
  const { rows = 3, counted = 1000 } = options;
  const pacer = new EventLoopPacer();
  const preview = emptyPreview(plan, source);
  const answers = new ClosedAnswers();
  const remarks = new Set<string>();
  let [tokens, trained] = [0, 0];
  for await (const sample of source.train()) {
    if (preview.counted >= Math.max(counted, rows)) {
      preview.isAll = false;
      break;
    }
    preview.counted++;
    const found = { preview, answers, remarks };
    const row = await previewRow(plan, sample, options, found).catch((error: unknown) =>
      badRow.orThrow(plan, sample, error),
    );
    await pacer.breathe();
    if (row === null) {
      preview.skipped++;
      continue;
    }
    if ('reason' in row) {
      preview.bad++;
      if (preview.badRows.length < badRow.mostListed) preview.badRows.push(row);
      continue;
    }
    if (preview.rows.length < rows) preview.rows.push(row);
    preview.longest = Math.max(preview.longest, row.tokens);
    if (row.dropped === 'too long') preview.tooLong++;
    else if (row.dropped === 'no trained token') preview.noTrainedToken++;
    else {
      preview.usable++;
      tokens += row.tokens;
      trained += row.trainedTokens;
    }
  }
  const { ignoredColumns } = preview;
  datasetNotes(plan, { ignoredColumns, remarks: [...remarks] }, options.tokenizer).forEach((note) =>
    options.onWarning?.(note),
  );
  const note = options.adaptiveLoss && answers.note(plan, options.adaptiveLoss);
  if (note !== undefined) options.onWarning?.(note);
  preview.meanTokens = preview.usable === 0 ? 0 : tokens / preview.usable;
  preview.trainedShare = tokens === 0 ? 0 : trained / tokens;
  return preview;
}

function emptyPreview(plan: DatasetPlan, source: DatasetSource): DatasetPreview {
  const { name, style, path, limit, systemPrompt, contextMode } = plan;
  return {
    name,
    style,
    path,
    limit,
    systemPrompt,
    contextMode,
    trainFiles: source.files?.train ?? null,
    evalFiles: source.files?.eval ?? null,
    counted: 0,
    isAll: true,
    usable: 0,
    tooLong: 0,
    noTrainedToken: 0,
    skipped: 0,
    bad: 0,
    badRows: [],
    ignoredColumns: [],
    longest: 0,
    meanTokens: 0,
    trainedShare: 0,
    rows: [],
  };
}

async function previewRow(
  plan: DatasetPlan,
  sample: Sample,
  options: PreviewOptions,
  { preview, answers, remarks }: { preview: DatasetPreview; answers: ClosedAnswers; remarks: Set<string> },
): Promise<RowPreview | null> {
  const { tokenizer, maxLengthToken = 4096, trainOnHeader = false, onWarning = () => {} } = options;
  const made = await sampleToChat(plan, sample);
  if (made === null) return null;
  const isNew = (column: string) => !preview.ignoredColumns.includes(column);
  preview.ignoredColumns.push(...made.ignored.filter(isNew));
  const isShown = preview.rows.length < (options.rows ?? 3);
  try {
    const encoded = encodeRow(tokenizer, made.chat, { trainOnHeader, onWarning });
    const { inputIds, labels } = encoded;
    for (const part of [...made.remarks, ...encoded.remarks]) remarks.add(part);
    const trainedTokens = labels.subarray(1).reduce((count, label) => count + (label === -100 ? 0 : 1), 0);
    const isTooLong = inputIds.length > maxLengthToken;
    if (!isTooLong && trainedTokens > 0) answers.add(labels);
    return {
      where: sample.where,
      tokens: inputIds.length,
      trainedTokens,
      dropped: isTooLong ? 'too long' : trainedTokens === 0 ? 'no trained token' : null,
      runs: isShown ? tokenRuns(tokenizer, inputIds, labels) : [],
    };
  } catch (cause) {
    if (!AdaptiveTrainerError.isInstance(cause)) throw cause;
    const message = `Dataset "${plan.name}" (${plan.path}), ${sample.where}: ${cause.message}`;
    throw new AdaptiveTrainerError(cause.code, message, {
      details: { ...cause.details, reason: cause.message },
      cause,
    });
  }
}
