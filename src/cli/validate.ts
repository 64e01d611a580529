import { validateConfig } from '../validate/validate-config.js';
import { AdaptiveTrainerError } from '../errors.js';
import { parseCommand } from './parse-command.js';
import { readConfigFile } from './read-config-file.js';

const help = `Usage: adaptive-trainer validate <config.json>

Checks a configuration: every key and value, and that the model, the datasets and a place for the output are there, on
this disk or on the Hub, which is also asked whether the result could be uploaded (HF_HUB_OFFLINE=1: it is not asked).
The first row of each dataset on this disk is tried. Loads and trains nothing. Paths are relative to the current directory.`;

/** `adaptive-trainer validate <config.json>`. Resolves to the exit status. */
export async function runValidate(argv: readonly string[]): Promise<number> {
  const { flags, file } = parseCommand(argv, [], help);
  if (flags.help) {
    console.log(help);
    return 0;
  }
  const input = await readConfigFile(file);
  const { config, notes } = await validateConfig(input).catch((error: unknown) => {
    if (AdaptiveTrainerError.isInstance(error, 'CONFIG_INVALID')) tell(error.details.notes ?? []);
    throw error;
  });
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
