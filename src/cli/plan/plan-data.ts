import { hubSettings } from '../../common/hub-settings.js';
import { format } from '../../common/format.js';
import type { DatasetPlan } from '../../config/datasets/dataset-plan.js';
import type { ParsedConfig } from '../../config/schema/parsed-config.js';
import { DatasetMixer } from '../../data/dataset-mixer.js';
import type { MixedDatasets } from '../../data/mix/mixed-datasets.js';
import { rowLength, rowList } from '../../data/mix/row-list.js';
import { locateDataset } from '../../data/sources/locate-dataset.js';
import { AdaptiveTrainerError } from '../../errors.js';
import type { DatasetReport } from '../../events/dataset-report.js';
import type { TrainingRow } from '../../events/training-row.js';
import { datasetSize, type DatasetSize } from '../../hub/datasets/dataset-size.js';
import { downloadDataset } from '../../hub/datasets/download-dataset.js';
import type { Tokenizer } from '../../tokenizer/tokenizer.js';
import type { PlanOptions } from './plan-options.js';

const bytesPerToken = 4;
const leastTokens = 16;
/** Of a dataset of which nothing can be known. */
const unknown: DatasetSize = {
  train: 10_000,
  eval: undefined,
  bytesPerRow: 1000,
  how: 'nothing is known of it',
};
/** Which rows are held out of a dataset without a validation split. */
const heldOutShare = 1 / 20;

/** The rows of a run, and what had to be taken for true of datasets of the Hub that are not here. */
export interface PlannedData {
  data: MixedDatasets;
  assumptions: string[];
}

/** Reads the datasets that are on this disk. Of the others as many rows are assumed as the Hub says that they have. */
export async function planData(
  config: ParsedConfig,
  tokenizer: Tokenizer,
  maxLengthToken: number,
  options: PlanOptions,
): Promise<PlannedData> {
  const { onWarning, onProgress, signal, download = false } = options;
  const { trainOnHeader, mixing, mixingProbabilities, mixingStop, seed } = config.trainingConfig;
  const missing = download
    ? new Map<DatasetPlan, DatasetSize>()
    : await sizesOfMissing(config.datasets, options);
  const here = config.datasets.filter((plan) => !missing.has(plan));
  const settings = hubSettings(process.env, download ? {} : { offline: true });
  const read = async (): Promise<MixedDatasets> =>
    new DatasetMixer({
      ...{ datasetsConfig: here, tokenizer, maxLengthToken, trainOnHeader, seed, onWarning, signal },
      // Probabilities are of all datasets.
      ...(missing.size > 0 ? {} : { mixing, mixingProbabilities, mixingStop }),
      ...(onProgress === undefined ? {} : { onProgress }),
      cacheDir: null,
      fetchHubDataset: (id, location, warn) => downloadDataset(id, location, { settings, onWarning: warn }),
    }).build();
  const known: MixedDatasets = here.length > 0 ? await read() : { train: [], eval: [], report: [] };
  const assumed = [...missing].map(([plan, size]) => assume(plan, size, maxLengthToken));
  return {
    data: {
      train: joined(
        known.train,
        assumed.map(({ row, report }) => ({ row, count: report.train })),
      ),
      eval: joined(
        known.eval,
        assumed.map(({ row, report }) => ({ row, count: report.eval })),
      ),
      report: [...known.report, ...assumed.map(({ report }) => report)],
    },
    assumptions: assumed.map(({ note }) => note),
  };
}

/** Of each dataset of the Hub that is not in its cache. */
async function sizesOfMissing(
  plans: readonly DatasetPlan[],
  { signal }: PlanOptions,
): Promise<Map<DatasetPlan, DatasetSize>> {
  const sizes = new Map<DatasetPlan, DatasetSize>();
  const offline = hubSettings(process.env, { offline: true });
  for (const plan of plans) {
    if (plan.memory !== null) continue;
    await locateDataset(
      plan,
      () => {},
      async (name, location) => {
        try {
          return await downloadDataset(name, location, { settings: offline });
        } catch (error) {
          if (!AdaptiveTrainerError.isInstance(error, 'HUB_FAILED')) throw error;
          sizes.set(plan, await sizeOf(plan, signal));
          return { train: [], eval: undefined };
        }
      },
    );
  }
  return sizes;
}

async function sizeOf(
  { name, location }: DatasetPlan,
  signal: AbortSignal | undefined,
): Promise<DatasetSize> {
  try {
    return await datasetSize(name, location, { signal });
  } catch (error) {
    // A name that the Hub does not know is a fault; a Hub that gives no answer is none.
    const isUnknown =
      AdaptiveTrainerError.isInstance(error, 'HUB_FAILED') && error.details.status === undefined;
    if (!isUnknown) throw error;
    return unknown;
  }
}

interface Assumed {
  row: TrainingRow;
  report: DatasetReport;
  note: string;
}

/** Rows of one length, the later half of each trained. */
function assume(
  { label, style, limit, systemPrompt }: DatasetPlan,
  size: DatasetSize,
  longest: number,
): Assumed {
  const length = Math.max(leastTokens, Math.min(longest, Math.round(size.bytesPerRow / bytesPerToken)));
  const half = Math.floor(length / 2);
  const held = size.eval ?? Math.ceil(size.train * heldOutShare);
  const left = size.eval === undefined ? size.train - held : size.train;
  const train = Math.min(left, limit ?? Infinity);
  const inputIds = new Int32Array(length);
  const labels = new Int32Array(length).fill(-100, 0, half);
  const none = { droppedTooLong: 0, droppedNoTrainedToken: 0, skippedByFunction: 0, skippedBad: 0 };
  return {
    row: { inputIds, labels, learningStyle: style },
    report: {
      ...{ name: label, style, train, eval: held, ...none, badRows: [], ignoredColumns: [], systemPrompt },
      ...{ trimmedTo: train < left ? limit : null, evalFrom: size.eval === undefined ? 'held out' : 'split' },
      ...{ tokens: train * length, trainedTokens: train * (length - half) },
    },
    note:
      `${label} is on the Hub and not in its cache (${size.how}): taken for ${format.count(size.train)} rows of ` +
      `${format.count(length)} tokens, half of them trained. \`train --dry-run\` fetches it and counts.`,
  };
}

/** Rows, and behind them others that are all alike. */
function joined(
  rows: readonly TrainingRow[],
  alike: readonly { row: TrainingRow; count: number }[],
): readonly TrainingRow[] {
  if (alike.length === 0) return rows;
  const ends: number[] = [];
  for (const { count } of alike) ends.push((ends.at(-1) ?? rows.length) + count);
  const rowAt = (index: number) => alike[ends.findIndex((end) => index < end)]!.row;
  return rowList(
    ends.at(-1)!,
    (index) => (index < rows.length ? rows[index]! : rowAt(index)),
    (index) => (index < rows.length ? rowLength(rows, index) : rowAt(index).inputIds.length),
  );
}
