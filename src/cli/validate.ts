import { validateConfig } from '../validate/validate-config.js';
import { AdaptiveTrainerError } from '../errors.js';
import { parseCommand } from './parse-command.js';
import { dataPrinter } from '../trackers/terminal/data-printer.js';
import { readConfigFile } from './read-config-file.js';

const quickRows = 1000;

const help = `Usage: adaptive-trainer validate <config.json> [--quick]

Checks a configuration: every key and value, and that the model, the datasets and a place for the output are there, on
this disk or on the Hub, which is also asked whether the result could be uploaded (HF_HUB_OFFLINE=1: it is not asked).
Every row of the datasets on this disk is tried, and its tokens are kept for the run. Loads and trains nothing. Paths are
relative to the current directory.

  --quick  try only the first 1,000 rows of each split`;

/** `adaptive-trainer validate <config.json>`. Resolves to the exit status. */
export async function runValidate(argv: readonly string[]): Promise<number> {
  const { flags, file } = parseCommand(argv, ['quick'], help);
  if (flags.help) {
    console.log(help);
    return 0;
  }
  const input = await readConfigFile(file);
  const data = dataPrinter();
  const rows = flags.quick ? quickRows : Infinity;
  const { config, notes } = await validateConfig(input, process.env, { rows, onProgress: data.onProgress })
    .catch((error: unknown) => {
      if (AdaptiveTrainerError.isInstance(error, 'CONFIG_INVALID')) tell(error.details.notes ?? []);
      throw error;
    })
    .finally(data.clear);
  for (const { code, message } of config.warnings) {
    if (code !== 'DATASET_ENTRY_UNUSED') console.error(`warning ${message}`); // those are among the notes
  }
  tell(notes);
  const datasets = config.datasets.length;
  console.log(
    `${file} is valid: ${config.modelName} on ${datasets} ${datasets === 1 ? 'dataset' : 'datasets'}.`,
  );
  return 0;
}

function tell(notes: readonly string[]): void {
  for (const note of notes) console.error(`note ${note}`);
}
