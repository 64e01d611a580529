import type { Command } from 'commander';
import { AdaptiveTrainerError } from '../../errors.js';
import { configCommand, type ConfigOptions } from '../command.js';
import { readConfig } from '../read-config.js';

const quickRows = 1000;

export function validateCommand(): Command {
  return configCommand(
    'validate',
    'check a configuration without training',
    'Every key and value, and that the model, the datasets and a place for the output are there, on this disk or on the ' +
      'Hub, which is also asked whether the result could be uploaded (HF_HUB_OFFLINE=1: it is not asked). Every row of the ' +
      'datasets on this disk is tried, and its tokens are kept for the run. Loads and trains nothing.',
  )
    .option('--quick', 'try only the first 1,000 rows of each split')
    .action(validate);
}

interface ValidateOptions extends ConfigOptions {
  quick?: boolean;
}

async function validate(file: string, { quick, ...options }: ValidateOptions): Promise<void> {
  const input = await readConfig(file, options);
  const [{ validateConfig }, { dataPrinter }] = await Promise.all([
    import('../../validate/validate-config.js'),
    import('../../trackers/terminal/data-printer.js'),
  ]);
  const data = dataPrinter();
  const rows = quick ? quickRows : Infinity;
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
}

function tell(notes: readonly string[]): void {
  for (const note of notes) console.error(`note ${note}`);
}
