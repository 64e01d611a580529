import type { Command } from 'commander';
import { command, withConfig, type ConfigOptions } from '../command.js';
import type { InspectOptions } from '../inspect.js';
import { rowsOption } from '../option-values.js';
import { readConfig } from '../read-config.js';

export function inspectCommand(): Command {
  const made = command(
    'inspect',
    'what a model makes of the datasets before any training',
    'How much of each it knows already (token shares by top-k, perplexity), rows that are unlike the rest, rows that stand ' +
      'there twice or among the evaluation rows, and which learning style and topK would serve it, with the reason. Says, too, ' +
      'where the adaptive loss is not what serves the data. Trains nothing.',
  ).argument('<model>', 'the model that is to be trained: a folder, or a name on the Hub');
  return withConfig(made)
    .addOption(
      rowsOption('training rows of each dataset that the model judges, spread over it, or all').default(200),
    )
    .option('--page <file>', 'write a page, on which every token can be looked at')
    .option('--json', 'print one JSON document instead')
    .action(async (model: string, file: string, options: InspectOptions & ConfigOptions) => {
      const input = await readConfig(file, options);
      const { inspect } = await import('../inspect.js');
      await inspect(model, input, options);
    });
}
