import { Argument, type Command } from 'commander';
import { command } from '../command.js';
import type { Shell } from '../completion-script.js';

const shells: readonly Shell[] = ['bash', 'zsh', 'fish'];

/** @param program gives the whole command, whose names are completed */
export function completionCommand(program: () => Command): Command {
  return command(
    'completion',
    'print a script that completes commands and options with the Tab key',
    'For the command as it is named on the PATH (npm install --global, or node_modules/.bin).\n\n' +
      '  bash: adaptive-trainer completion bash >> ~/.bashrc\n' +
      '  zsh:  adaptive-trainer completion zsh > ~/.zfunc/_adaptive-trainer   (a folder of fpath)\n' +
      '  fish: adaptive-trainer completion fish > ~/.config/fish/completions/adaptive-trainer.fish',
  )
    .addArgument(new Argument('<shell>', 'what it is for').choices(shells))
    .action(async (shell: Shell) => {
      const { completionScript } = await import('../completion-script.js');
      process.stdout.write(completionScript(program(), shell));
    });
}
