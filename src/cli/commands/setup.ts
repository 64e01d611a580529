import { Option, type Command } from 'commander';
import { progressPrinter } from '../../common/progress-printer.js';
import { command } from '../command.js';

interface SetupFlags {
  force?: boolean;
  cuda?: boolean;
  cpu?: boolean;
  withoutGpu?: boolean;
  from?: string;
}

export function setupCommand(): Command {
  return command(
    'setup',
    'fetch libtorch: for CUDA where there is a GPU, otherwise for the CPU',
    'It goes into the cache of adaptive-trainer, unless it is there, with headers. npm installs libtorch for the CPU, so without ' +
      'a GPU only building the addon needs this.',
  )
    .addOption(
      new Option(
        '--cuda',
        'libtorch for NVIDIA GPUs with driver 580.65 or later: 2.8 GB to fetch, 4.5 GB on disk',
      ).conflicts('cpu'),
    )
    .option('--cpu', 'libtorch for the CPU, also where there is a GPU')
    .addOption(
      new Option('--without-gpu', 'the one for CUDA though this machine cannot use it, as for an image')
        .implies({ cuda: true })
        .conflicts('cpu'),
    )
    .option('--from <folder>', 'a folder with wheels from `pip download`, in place of the network')
    .option('--force', 'fetch it again')
    .action(setup);
}

async function setup({ force = false, cuda, cpu, withoutGpu = false, from }: SetupFlags): Promise<void> {
  const { setupForMachine } = await import('../../engine/device/setup-for-machine.js');
  await setupForMachine({
    ...{ wish: cuda ? 'cuda' : cpu ? 'cpu' : 'auto', withoutGpu, force, onProgress: progressPrinter() },
    ...(from === undefined ? {} : { from }),
  });
  for (const name of ['ADAPTIVE_TRAINER_LIBTORCH', 'LIBTORCH']) {
    const value = process.env[name];
    if (value) console.error(`Note: ${name}=${value} is set and is used instead of it.`);
  }
}
