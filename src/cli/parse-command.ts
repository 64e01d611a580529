import { parseArgs } from 'node:util';
import type { ParseArgsConfig } from 'node:util';
import { UsageError } from './usage-error.js';

type Flags<Names extends string> = Record<Names | 'help', boolean>;

/**
 * Parses the arguments of a command that takes flags and at most one configuration file.
 * @returns the flags, and the file unless `--help` asks for none
 * @throws UsageError for an unknown flag, a missing file or more than one
 */
export function parseCommand<Names extends string>(
  argv: readonly string[],
  flags: readonly Names[],
  help: string,
): { flags: Flags<Names>; file: string } {
  const options: ParseArgsConfig['options'] = { help: { type: 'boolean', short: 'h' } };
  for (const flag of flags) options[flag] = { type: 'boolean' };
  let parsed;
  try {
    parsed = parseArgs({ args: [...argv], options, allowPositionals: true });
  } catch (error) {
    throw new UsageError((error as Error).message, help);
  }
  const { values, positionals } = parsed;
  const isSet = Object.fromEntries(
    [...flags, 'help'].map((flag) => [flag, values[flag] === true]),
  ) as Flags<Names>;
  if (!isSet.help && positionals.length !== 1) {
    const received = positionals.length === 0 ? 'none' : positionals.join(' ');
    throw new UsageError(`Expected one configuration file but received ${received}.`, help);
  }
  return { flags: isSet, file: positionals[0] ?? '' };
}
