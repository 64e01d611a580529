import { AdaptiveTrainerError } from '../errors.js';
import { UsageError } from './usage-error.js';

/**
 * Prints an error to standard error and gives the exit status it means: 2 for the command line, 1 for all else.
 * Errors of this library are told in their own words; with DEBUG=adaptive-trainer, and for any other error, which
 * was not foreseen, the stack is printed too.
 */
export function printError(error: unknown, env: NodeJS.ProcessEnv = process.env): number {
  if (error instanceof UsageError) {
    console.error(`${error.message}\n\n${error.help}`);
    return 2;
  }
  const debug = (env['DEBUG'] ?? '')
    .split(/[\s,]+/)
    .some((name) => name === 'adaptive-trainer' || name === '*');
  if (!AdaptiveTrainerError.isInstance(error)) console.error('Unexpected error:', error);
  else if (debug) console.error(`${error.code}:`, error);
  else console.error(`${error.code}: ${error.message}`);
  return 1;
}
