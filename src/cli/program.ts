import { Command } from 'commander';
import { packageVersion } from '../common/package-version.js';
import { withHouseStyle } from './command.js';
import { buildCommand } from './commands/build.js';
import { chatCommand } from './commands/chat.js';
import { completionCommand } from './commands/completion.js';
import { doctorCommand } from './commands/doctor.js';
import { estimateCommand } from './commands/estimate.js';
import { evalCommand } from './commands/eval.js';
import { generateCommand } from './commands/generate.js';
import { importConfigCommand } from './commands/import-config.js';
import { initCommand } from './commands/init.js';
import { inspectCommand } from './commands/inspect.js';
import { previewCommand } from './commands/preview.js';
import { reportCommand } from './commands/report.js';
import { setupCommand } from './commands/setup.js';
import { trainCommand } from './commands/train.js';
import { uploadCommand } from './commands/upload.js';
import { validateCommand } from './commands/validate.js';

const groups = {
  'Before a run:': [
    initCommand,
    validateCommand,
    previewCommand,
    inspectCommand,
    estimateCommand,
    importConfigCommand,
  ],
  'A run:': [trainCommand, reportCommand],
  'A trained model:': [evalCommand, generateCommand, chatCommand, uploadCommand],
  'This machine:': [doctorCommand, buildCommand, setupCommand, () => completionCommand(createProgram)],
};

/** Every command. Their files load what computes only when they run, so that help and faults are told at once. */
export function createProgram(): Command {
  const program = withHouseStyle(new Command('adaptive-trainer'))
    .description('Fine-tunes Hugging Face causal language models with an adaptive loss.')
    .usage('<command>')
    .version(packageVersion(), '-v, --version', 'the version of adaptive-trainer')
    .helpCommand('help [command]', 'the help of a command')
    .addHelpText(
      'after',
      '\nPaths in a configuration are relative to the current directory. DEBUG=adaptive-trainer prints the stack of\n' +
        'errors. Exit status: 0 done, 1 failed, 2 wrong command line, 130 interrupted.',
    );
  for (const [group, commands] of Object.entries(groups))
    for (const one of commands) program.addCommand(one().helpGroup(group));
  return program;
}
