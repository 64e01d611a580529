import { parseArgs } from 'node:util';
import { progressPrinter } from '../common/progress-printer.js';
import { buildAddon } from '../engine/build/build-addon.js';
import { UsageError } from './usage-error.js';

const help = `Usage: adaptive-trainer build

Compiles the native addon on this machine, for platforms that no package is made for and for a libtorch of another release
(LIBTORCH). Needs the package @adaptive-trainer/source, CMake 3.18 and a C++20 compiler, and looks for them before it fetches
anything. The addon goes into the cache of adaptive-trainer and is used from there.`;

/** `adaptive-trainer build`. Resolves to the exit status. */
export async function runBuild(argv: readonly string[]): Promise<number> {
  let isHelp: boolean;
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: { help: { type: 'boolean', short: 'h', default: false } },
    });
    isHelp = values.help;
  } catch (error) {
    throw new UsageError((error as Error).message, help);
  }
  if (isHelp) console.log(help);
  else await buildAddon({ onNote: (text) => console.log(text), onProgress: progressPrinter() });
  return 0;
}
