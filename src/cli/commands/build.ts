import type { Command } from 'commander';
import { progressPrinter } from '../../common/progress-printer.js';
import { command } from '../command.js';

export function buildCommand(): Command {
  return command(
    'build',
    'compile the native addon, where npm has none for a machine',
    'For platforms that no package is made for and for a libtorch of another release (LIBTORCH). Needs the package ' +
      '@adaptive-trainer/source, CMake 3.18 and a C++20 compiler, and looks for them before it fetches anything. The addon ' +
      'goes into the cache of adaptive-trainer and is used from there.',
  ).action(async () => {
    const { buildAddon } = await import('../../engine/build/build-addon.js');
    await buildAddon({ onNote: (text) => console.log(text), onProgress: progressPrinter() });
  });
}
