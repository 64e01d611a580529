import { CommanderError } from 'commander';
import { ExitStatus } from './exit-status.js';
import { createProgram } from './program.js';
import { UsageError } from './usage-error.js';

/**
 * The command line without the program's name. Resolves to the exit status.
 * @throws UsageError, or whatever the command throws
 */
export async function runCli(argv: readonly string[], program = createProgram()): Promise<number> {
  if (argv.length === 0 && program.commands.length > 0)
    throw new UsageError('Expected a command but received none.', program.helpInformation());
  try {
    await program.parseAsync(argv, { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof ExitStatus) return error.status;
    // Its help or version was printed.
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    throw error;
  }
}
