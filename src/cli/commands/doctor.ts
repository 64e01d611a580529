import { Option, type Command } from 'commander';
import { command } from '../command.js';
import { ExitStatus } from '../exit-status.js';

export function doctorCommand(): Command {
  return command(
    'doctor',
    'look at this machine and installation, and say what to mend',
    'Versions, processor, memory and disk; where libtorch and the addon are, and whether a step of training runs; the Hub, ' +
      'proxies and accounts. Tokens and passwords are never shown, so that the output can go into a bug report. Exit status ' +
      '1 if something is broken.',
  )
    .option('--json', 'print one JSON document')
    .addOption(
      new Option('--trial', 'the step of training that it tries, in a process of its own').hideHelp(),
    )
    .action(async ({ json = false, trial }: { json?: boolean; trial?: boolean }) => {
      if (trial) {
        const { trialStep } = await import('../doctor/trial-step.js');
        console.log(JSON.stringify(await trialStep()));
        return;
      }
      const { doctor } = await import('../doctor/doctor.js');
      if (!(await doctor({ json }))) throw new ExitStatus(1);
    });
}
