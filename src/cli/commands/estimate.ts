import type { Command } from 'commander';
import { command, withConfig, type ConfigOptions } from '../command.js';
import { countOption, deviceMemoryOption } from '../option-values.js';
import { readConfig } from '../read-config.js';

interface EstimateOptions extends ConfigOptions {
  json?: boolean;
  ranks?: number;
  deviceMemory?: number;
}

export function estimateCommand(): Command {
  const made = command(
    'estimate',
    'say how much memory and time a run takes, before its weights are downloaded',
    'Reads config.json and the headers of the weights, of a model on the Hub too, counts the tokens of the data on this ' +
      'disk (a tokenizer on the Hub is fetched for that), and trains a model of this shape, or some layers of it, for some seconds to see how fast ' +
      'this machine is. Names settings that take less memory, each computed.',
  ).argument('<model>', 'folder or name on the Hub, in place of the model of the configuration');
  return withConfig(made)
    .addOption(
      countOption(
        '--ranks <count>',
        'processes that will train together (default: those of the launcher)',
        1,
      ),
    )
    .addOption(deviceMemoryOption())
    .option('--json', 'print one JSON document')
    .action(
      async (model: string, file: string, { json, ranks, deviceMemory, ...options }: EstimateOptions) => {
        const input = await readConfig(file, options);
        const { estimate } = await import('../estimate.js');
        await estimate(model, input, { json, ranks, deviceMemory });
      },
    );
}
