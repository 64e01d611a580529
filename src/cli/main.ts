#!/usr/bin/env node
import { printError } from './print-error.js';
import { runCli } from './run-cli.js';

// A reader that left (`… | head`) is no error worth a stack, and nothing more can be told to it.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(1);
  throw error;
});

try {
  process.exitCode = await runCli(process.argv.slice(2));
} catch (error) {
  process.exitCode = printError(error);
}
