import { parseArgs } from 'node:util';
import { AdaptiveTrainerError } from '../errors.js';
import { progressPrinter } from '../common/progress-printer.js';
import { setupLibtorch } from '../engine/libtorch/setup-libtorch.js';

const help = `Usage: adaptive-trainer setup [--force] [--cuda]

Fetches a libtorch with headers into the cache of adaptive-trainer, unless it is there. Where npm has installed libtorch, only
building the addon needs it.
  --force   fetch it again
  --cuda    the libtorch for NVIDIA GPUs (not available yet)`;

/** `adaptive-trainer setup [--force] [--cuda]`. Resolves to the exit status. */
export async function runSetup(argv: readonly string[]): Promise<number> {
  let force: boolean;
  let cuda: boolean;
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        force: { type: 'boolean', default: false },
        cuda: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    if (values.help) {
      console.log(help);
      return 0;
    }
    ({ force, cuda } = values);
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${help}`);
    return 2;
  }
  try {
    if (cuda) throw withoutCuda();
    await setupLibtorch({ force, onProgress: progressPrinter() });
    for (const name of ['ADAPTIVE_TRAINER_LIBTORCH', 'LIBTORCH']) {
      const value = process.env[name];
      if (value) console.error(`Note: ${name}=${value} is set and is used instead of it.`);
    }
    return 0;
  } catch (error) {
    if (!AdaptiveTrainerError.isInstance(error)) throw error;
    console.error(`${error.code}: ${error.message}`);
    return 1;
  }
}

function withoutCuda(): AdaptiveTrainerError {
  return new AdaptiveTrainerError(
    'NOT_AVAILABLE',
    'Expected to fetch libtorch for the CPU, found --cuda: this release of adaptive-trainer computes on the CPU alone. Nothing ' +
      'was fetched. Run `npx adaptive-trainer setup` without it, or train with what npm installed.',
  );
}
