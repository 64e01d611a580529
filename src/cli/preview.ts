import { parseArgs } from 'node:util';
import pc from 'picocolors';
import { checkModelFiles } from '../model/check-model-files.js';
import { locateModel } from '../model/files/located-model.js';
import { longestRow } from '../model/longest-row.js';
import { parseConfig } from '../config/read/parse-config.js';
import { previewDatasets, type DatasetPreview } from '../data/preview-datasets.js';
import { downloadDataset } from '../hub/datasets/download-dataset.js';
import { previewText } from './preview-text.js';
import { trainingTokenizer } from '../tokenizer/training-tokenizer.js';
import { readConfigFile } from './read-config-file.js';
import { UsageError } from './usage-error.js';

const help = `Usage: adaptive-trainer preview <config.json> [--rows N] [--all] [--full] [--json]

Shows the datasets of a configuration as they will be trained on: the first rows of each as rendered text, with the
trained tokens marked, and how many rows are usable and how many are dropped. Loads only the tokenizer; trains nothing.
Paths in the configuration are relative to the current directory.

  --rows N  rows to show of each dataset. Default 3
  --all     count over all rows. Default: over the first 1,000 of each dataset
  --full    show long rows and prompts whole
  --json    print one JSON document instead, with every run of trained and untrained tokens`;

interface PreviewArguments {
  file: string;
  rows: number;
  all: boolean;
  full: boolean;
  json: boolean;
}

/** `adaptive-trainer preview <config.json> [--rows N] [--all] [--full] [--json]`. Resolves to the exit status. */
export async function runPreview(argv: readonly string[]): Promise<number> {
  const options = readArguments(argv);
  if (options === undefined) {
    console.log(help);
    return 0;
  }
  const config = parseConfig(await readConfigFile(options.file));
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
  const previews = await previewDatasets({
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
  console.log(
    options.json ? asJson(previews, maxLengthToken) : asText(previews, maxLengthToken, options.full),
  );
  return 0;
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

function readArguments(argv: readonly string[]): PreviewArguments | undefined {
  let parsed;
  try {
    parsed = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        rows: { type: 'string', default: '3' },
        all: { type: 'boolean', default: false },
        full: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message, help);
  }
  const { values, positionals } = parsed;
  const { rows, all, full, json } = values as { rows: string; all: boolean; full: boolean; json: boolean };
  if (values.help) return undefined;
  const [file] = positionals;
  if (file === undefined || positionals.length > 1) {
    const received = positionals.length === 0 ? 'none' : positionals.join(' ');
    throw new UsageError(`Expected one configuration file but received ${received}.`, help);
  }
  if (!/^\d+$/.test(rows)) {
    throw new UsageError(`Expected a whole number after --rows but received ${JSON.stringify(rows)}.`, help);
  }
  return { file, rows: Number(rows), all, full, json };
}
