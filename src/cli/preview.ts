import { resolve } from 'node:path';
import pc from 'picocolors';
import { parseConfig } from '../config/read/parse-config.js';
import { previewDatasets, type DatasetPreview } from '../data/preview-datasets.js';
import { downloadDataset } from '../hub/datasets/download-dataset.js';
import { checkModelFiles } from '../model/check-model-files.js';
import { locateModel } from '../model/files/located-model.js';
import { longestRow } from '../model/longest-row.js';
import { trainingTokenizer } from '../tokenizer/training-tokenizer.js';
import { previewText } from './preview-text.js';

export interface PreviewOptions {
  rows: number;
  all?: boolean;
  full?: boolean;
  json?: boolean;
}

/** Prints the datasets of a configuration as they will be trained on. */
export async function preview(input: unknown, options: PreviewOptions): Promise<void> {
  const config = parseConfig(input as never);
  const { chatTemplate, trainOnHeader, maxLengthToken: asked } = config.trainingConfig;
  const told = new Set<string>();
  const onWarning = (message: string) => {
    if (!told.has(message)) console.error(`${pc.yellow('warning')} ${message}`);
    told.add(message);
  };
  const tokenizer = await trainingTokenizer(config.modelName, chatTemplate, onWarning);
  // A model that cannot be trained can be looked at all the same; validate tells.
  const model = await locateModel(config.modelName, { needsWeights: false })
    .then((located) => checkModelFiles(located, { ignoreDropout: true, needsWeights: false }))
    .catch(() => undefined);
  const maxLengthToken = longestRow(asked, model?.decoder, onWarning);
  for (const { code, message } of config.warnings) if (code === 'DATASET_ENTRY_UNUSED') onWarning(message);
  const found = await previewDatasets({
    datasetsConfig: [...config.datasets, ...config.retentionDatasets],
    adaptiveLoss: config.adaptiveLossConfig,
    tokenizer,
    maxLengthToken,
    trainOnHeader,
    onWarning,
    rows: options.rows,
    counted: options.all ? Infinity : 1000,
    fetchHubDataset: (id, location, onHubWarning) =>
      downloadDataset(id, location, { onWarning: onHubWarning }),
  });
  const previews = found.map(asWritten);
  if (options.json) console.log(asJson(previews, maxLengthToken));
  else console.log(asText(previews, maxLengthToken, options.full === true));
}

/** Names the files of a dataset as its own name in the configuration does. */
function asWritten(preview: DatasetPreview): DatasetPreview {
  const { name, rows, badRows, trainFiles, evalFiles } = preview;
  const short = (text: string) => text.replaceAll(resolve(name), name);
  return {
    ...preview,
    rows: rows.map((row) => ({ ...row, where: short(row.where) })),
    badRows: badRows.map((row) => ({ ...row, where: short(row.where), reason: short(row.reason) })),
    trainFiles: trainFiles?.map(short) ?? null,
    evalFiles: evalFiles?.map(short) ?? null,
  };
}

function asText(previews: readonly DatasetPreview[], maxLengthToken: number, isFull: boolean): string {
  const isColored = pc.isColorSupported && process.stdout.isTTY === true;
  const width = process.stdout.isTTY === true ? Math.max(40, process.stdout.columns) : Infinity;
  return previewText(previews, { isColored, isFull, maxLengthToken, width });
}

function asJson(previews: readonly DatasetPreview[], maxLengthToken: number): string {
  const datasets = previews.map((preview) => ({
    ...preview,
    rows: preview.rows.map((row) => ({ ...row, text: row.runs.map((run) => run.text).join('') })),
  }));
  return JSON.stringify({ maxLengthToken, datasets }, null, 2);
}
