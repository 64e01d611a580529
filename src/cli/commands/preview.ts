import type { Command } from 'commander';
import { configCommand, type ConfigOptions } from '../command.js';
import { countOption } from '../option-values.js';
import type { PreviewOptions } from '../preview.js';
import { readConfig } from '../read-config.js';

export function previewCommand(): Command {
  return configCommand(
    'preview',
    'show the datasets as they will be trained on',
    'The first rows of each as rendered text, with the trained tokens marked, and how many rows are usable and how many ' +
      'are dropped. Loads only the tokenizer; trains nothing.',
  )
    .addOption(countOption('--rows <n>', 'rows to show of each dataset').default(3))
    .option('--all', 'count over all rows. Default: over the first 1,000 of each dataset')
    .option('--full', 'show long rows and prompts whole')
    .option('--json', 'print one JSON document instead, with every run of trained and untrained tokens')
    .action(async (file: string, options: PreviewOptions & ConfigOptions) => {
      const input = await readConfig(file, options);
      const { preview } = await import('../preview.js');
      await preview(input, options);
    });
}
