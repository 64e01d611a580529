import type { Command } from 'commander';
import { AdaptiveTrainerError } from '../../errors.js';
import { progressPrinter } from '../../common/progress-printer.js';
import { command } from '../command.js';

export function setupCommand(): Command {
  return command(
    'setup',
    'fetch libtorch with headers, which building needs',
    'It goes into the cache of adaptive-trainer, unless it is there. Where npm has installed libtorch, only building the ' +
      'addon needs it.',
  )
    .option('--force', 'fetch it again')
    .option('--cuda', 'the libtorch for NVIDIA GPUs (not available yet)')
    .action(setup);
}

async function setup({ force = false, cuda }: { force?: boolean; cuda?: boolean }): Promise<void> {
  if (cuda) throw withoutCuda();
  const { setupLibtorch } = await import('../../engine/libtorch/setup-libtorch.js');
  await setupLibtorch({ force, onProgress: progressPrinter() });
  for (const name of ['ADAPTIVE_TRAINER_LIBTORCH', 'LIBTORCH']) {
    const value = process.env[name];
    if (value) console.error(`Note: ${name}=${value} is set and is used instead of it.`);
  }
}

function withoutCuda(): AdaptiveTrainerError {
  return new AdaptiveTrainerError(
    'NOT_AVAILABLE',
    'Expected to fetch libtorch for the CPU, found --cuda: libtorch for CUDA is not fetched yet. Nothing was fetched. Run ' +
      '`npx adaptive-trainer setup` without it, or see docs/cuda.md for libtorch from pip.',
  );
}
