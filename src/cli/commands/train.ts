import { Option, type Command } from 'commander';
import { readLaunch } from '../../ranks/launch.js';
import { configCommand, type ConfigOptions } from '../command.js';
import { countOption, deviceMemoryOption } from '../option-values.js';
import { readConfig } from '../read-config.js';
import type { LoadTraining, TrainOptions } from '../train.js';

/** @param load Default: this library, loaded only once the configuration could be read */
export function trainCommand(load: LoadTraining = () => import('../../train-adaptively.js')): Command {
  return configCommand(
    'train',
    'train as the configuration says',
    'Prints the folder of the finished model. The configuration holds the arguments of trainAdaptively, in camelCase or in ' +
      'the snake_case of the Python package.\n\n' +
      'An output folder that holds another run is left alone, and the command fails, unless --resume or --overwrite is given. ' +
      'Ctrl-C stops the run after the step it is in and saves a checkpoint; a second Ctrl-C stops it at once.',
  )
    .option('--resume', 'go on from the newest whole checkpoint in the output folder')
    .addOption(
      new Option(
        '--overwrite',
        'start over: delete the checkpoints that are there, replace the final model',
      ).conflicts('resume'),
    )
    .option(
      '--dry-run',
      'do everything up to the first step, and say what the run would do, need and write; writes nothing',
    )
    .addOption(deviceMemoryOption('with --dry-run, '))
    .option(
      '--dashboard',
      'show the run on a page of this machine while it goes on, with buttons to pause, save, stop and ask; prints its address',
    )
    .addOption(
      countOption(
        '--dashboard-port <port>',
        'the same, on this port of 127.0.0.1 (default: any that is free)',
      ),
    )
    .option(
      '--json',
      'print every event of the run as one line of JSON on standard output, and no progress bar',
    )
    .action(async (file: string, options: TrainOptions & ConfigOptions) => {
      if (options.dryRun) {
        // Every rank would print the same.
        const launch = readLaunch();
        if (launch !== undefined && launch.rank > 0) return;
        const { dryRun } = await import('../dry-run.js');
        await dryRun(await readConfig(file, options), options);
        return;
      }
      const { tellOnce } = await import('../tell-once.js');
      await tellOnce(
        () => readConfig(file, options),
        async (input) => {
          const { train } = await import('../train.js');
          await train(file, input, options, load);
        },
      );
    });
}
