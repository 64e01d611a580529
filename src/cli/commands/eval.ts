import type { Command } from 'commander';
import { command, withConfig, type ConfigOptions } from '../command.js';
import type { EvalOptions } from '../eval.js';
import { rowsOption } from '../option-values.js';
import { readConfig } from '../read-config.js';

export function evalCommand(): Command {
  const made = command(
    'eval',
    'the numbers of training for a saved model or adapter',
    'Loss, perplexity and token shares on the held-out rows of the datasets, by dataset and style, as a run with this ' +
      'configuration evaluates, and on texts that are to be kept: those of retention.source, and a small set of general text. ' +
      'With --against base also what was gained and what was lost. Intervals are of 95 %, by rows. Trains nothing.',
  ).argument('<model>', 'a folder (final_model of a run, a checkpoint, an adapter), or a name on the Hub');
  return withConfig(made)
    .option(
      '--against <model>',
      'another model to set it against: base, the one it was made from (that an adapter names, else model_name of the ' +
        'configuration), a folder or a name',
    )
    .addOption(rowsOption('held-out rows at most, spread over the datasets, or all').default(Infinity, 'all'))
    .option('--page <file>', 'write a page, on which every token can be looked at')
    .option('--json', 'print one JSON document instead')
    .action(async (model: string, file: string, options: EvalOptions & ConfigOptions) => {
      const input = await readConfig(file, options);
      const { evaluate } = await import('../eval.js');
      await evaluate(model, input, options);
    });
}
