import type { Command } from 'commander';
import { command } from '../command.js';
import { learningStyles } from '../../events/learning-style.js';
import type { InitOptions } from '../init.js';
import { choiceOption } from '../option-values.js';

export function initCommand(): Command {
  return command(
    'init',
    'write a commented configuration, asking what it needs to know',
    'Each question can be answered by an option; without a terminal, or with --yes, nothing is asked and the rest takes its ' +
      'default. Looks at the first rows of the data. A file that is there is never replaced without asking.',
  )
    .option('--model <model>', 'folder of a model, or its name on the Hub')
    .option('--data <file>', 'file with rows to train on, or the name of a dataset on the Hub')
    .addOption(choiceOption('--style <style>', 'how the data is learned', learningStyles))
    .option('--lora', 'train an adapter in place of all weights')
    .option('--no-lora', 'train all weights')
    .option('--output-dir <folder>', 'where the run writes')
    .option('-o, --out <file>', 'the configuration to write (default: config.yml)')
    .option('-y, --yes', 'ask nothing')
    .action(async (options: InitOptions) => {
      const { init } = await import('../init.js');
      await init(options);
    });
}
