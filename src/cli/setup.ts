import { parseArgs } from 'node:util';
import { AdaptiveTrainerError } from '../errors.js';
import { progressPrinter } from '../common/progress-printer.js';
import { setupLibtorch } from '../engine/libtorch/setup-libtorch.js';

const help = `Usage: adaptive-trainer setup [--force]

Fetches the libtorch that adaptive-trainer computes with into its cache, unless it is there.
  --force   fetch it again`;

/** `adaptive-trainer setup [--force]`. Resolves to the exit status. */
export async function runSetup(argv: readonly string[]): Promise<number> {
  let force: boolean;
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        force: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    if (values.help) {
      console.log(help);
      return 0;
    }
    force = values.force;
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${help}`);
    return 2;
  }
  try {
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
